import { beforeAll, describe, expect, test } from 'vitest'
import type { Cel } from './cel.ts'
import { CelError } from './cel-error.ts'
import { type CelType, dyn, listOf, mapOf, objectOf, text } from './cel-type.ts'
import { fromCelValue } from './cel-values.ts'
import { CostBudget } from './cost-budget.ts'
import { CelAuthorizer, type Checks } from './library/authorizer.ts'
import { loadCel } from './load-cel.ts'
import { staticCostLimit } from './static-cost.ts'

let cel: Cel
beforeAll(async () => {
  cel = await loadCel()
})

function evaluate(source: string, object: unknown = null): unknown {
  const program = cel.environment({ object: dyn }).compile(source)
  return fromCelValue(program.evaluate({ object: cel.toCelValue(object) }))
}

describe.each<[string, [source: string, value: unknown, object?: unknown][]]>([
  [
    'numbers of JSON',
    [
      ['object.a + 1', 3, { a: 2 }],
      ['object.a == 2.0 && object.a < 2.5', true, { a: 2 }],
      ['object.a * 2.0', 3, { a: 1.5 }],
      ['type(object.a) == int && type(object.b) == double', true, { a: 1, b: 1.5 }],
      ['size(object.list) + object.list[0]', 5, { list: [3, 4] }],
    ],
  ],
  [
    'equality',
    [
      ['object.a == object.b', true, { a: { x: 1, y: ['z'] }, b: { y: ['z'], x: 1 } }],
      ['object.a != object.b', true, { a: { x: 1 }, b: { x: null } }],
      ['{"x": 1} == object.a', true, { a: { x: 1 } }],
      ['{"x": 1} in object.list', true, { list: [{ x: 1 }] }],
      ['object.a == null', true, { a: null }],
      ['"__proto__" in object', true, JSON.parse('{"__proto__": 1}')],
      ['object.a == "1"', false, { a: 1 }],
    ],
  ],
  [
    'lists',
    [
      ['[3, 1, 2].sum()', 6],
      ['[1.5, 2.0].sum()', 3.5],
      ['object.list.map(x, x.n).max()', 7, { list: [{ n: 7 }, { n: 3 }] }],
      ['["b", "a"].min()', 'a'],
      ['[1, 2, 2].isSorted() && !["b", "a"].isSorted()', true],
      ['["a", "b", "a"].indexOf("a") + ["a", "b", "a"].lastIndexOf("a")', 2],
      ['sets.contains([1, 2, 3], [2])', true],
      ['sets.equivalent([1, 2, 2], [2, 1])', true],
      ['sets.intersects(object.list, ["x"])', false, { list: ['y'] }],
    ],
  ],
  [
    'strings',
    [
      ['"hello".charAt(1) + "hello".substring(3) + "HI".lowerAscii()', 'elohi'],
      ['"a,b,c".split(",").join("-")', 'a-b-c'],
      ['"banana".replace("a", "o") + "banana".replace("a", "o", 1)', 'bononobonana'],
      ['"ab".replace("", "-")', '-a-b-'],
      ['"%s has %d of %.2f (%x) %%".format(["a", 3, 2.5, 255])', 'a has 3 of 2.50 (ff) %'],
      ['"%s".format([{"a": [1, true]}])', '{a: [1, true]}'],
      ['" x ".trim()', 'x'],
      ['"abc 123 def 45".find("[0-9]+")', '123'],
      ['"abc 123 def 45".findAll("[0-9]+").join("+")', '123+45'],
      ['"v1.2".matches("^v[0-9]+\\\\.[0-9]+$")', true],
      ['strings.quote("a\\"b")', '"a\\"b"'],
    ],
  ],
  [
    'comprehensions of two variables',
    [
      ['[10, 20].all(i, v, v > i)', true],
      ['object.exists(k, v, k == "a" && v == 1)', true, { a: 1, b: 2 }],
      ['["a", "b"].existsOne(i, v, v == "b")', true],
      ['object.transformList(k, v, k + string(v))', ['a1', 'b2'], { a: 1, b: 2 }],
      ['object.transformMap(k, v, v > 1, v * 10)', { b: 20 }, { a: 1, b: 2 }],
      ['object.transformMapEntry(k, v, {k + "!": v})', { 'a!': 1 }, { a: 1 }],
    ],
  ],
  [
    'optionals and bind',
    [
      ['object.?spec.?replicas.orValue(5)', 5, {}],
      ['object.?spec.replicas.orValue(5)', 2, { spec: { replicas: 2 } }],
      ['object[?"a"].hasValue()', false, {}],
      ['optional.of(2).optMap(x, x * 2).value()', 4],
      ['optional.ofNonZeroValue("").hasValue()', false],
      ['object.?a == object.?b && object.?a != optional.of(1)', true, {}],
      ['cel.bind(n, size(object.list), n * n)', 9, { list: [1, 2, 3] }],
      ['has(object.a) && !has(object.b)', true, { a: null }],
      ['has(object.l[0].a) && !has(object.l[0].b)', true, { l: [{ a: null }] }],
      ['object.l.all(x, has(x.l[0].a.b) || !has(x.l))', true, { l: [{ l: [{ a: { b: 1 } }] }, {}] }],
    ],
  ],
  [
    'quantities',
    [
      ['quantity("1.5Gi").isGreaterThan(quantity("1G"))', true],
      ['quantity("200M") == quantity("0.2G")', true],
      ['quantity("50k").add(20).sub(quantity("20")).asInteger()', 50000],
      ['isQuantity("1,5G") || quantity("-1").sign() == 1', false],
      ['quantity("500m").asApproximateFloat()', 0.5],
      ['quantity(object.cpu).compareTo(quantity("1"))', -1, { cpu: '250m' }],
    ],
  ],
  [
    'versions',
    [
      ['semver("1.2.3").isLessThan(semver("1.10.0"))', true],
      ['semver("1.0.0-alpha.1").compareTo(semver("1.0.0"))', -1],
      ['semver("v01.2", true) == semver("1.2.0")', true],
      ['isSemver("v1.0") || semver("1.2.3").minor() != 2', false],
    ],
  ],
  [
    'the network',
    [
      ['url("https://user@example.com:8080/a/b?x=1&x=2&y=").getHost()', 'example.com:8080'],
      ['url("https://[::1]:80/").getHostname() + url("https://[::1]:80/").getPort()', '::180'],
      ['url("https://a.b/c?x=1&x=2").getQuery()', { x: ['1', '2'] }],
      ['url("/a b").getEscapedPath()', '/a%20b'],
      ['isURL("a/b") || isURL("https://a:b/")', false],
      ['ip("127.0.0.1").isLoopback() && ip("::1").family() == 6', true],
      ['isIP("::ffff:1.2.3.4") || isIP("1.2.3.04")', false],
      ['ip.isCanonical("2001:db8::abcd") && !ip.isCanonical("2001:DB8::ABCD")', true],
      ['string(ip("2001:0:0:1:0:0:0:1"))', '2001:0:0:1::1'],
      ['ip("::1") == ip("0:0:0:0:0:0:0:1")', true],
      ['cidr("192.168.0.0/16").containsIP("192.168.3.4")', true],
      ['cidr("192.168.0.0/16").containsCIDR("192.0.0.0/8")', false],
      ['string(cidr("192.168.5.6/20").masked())', '192.168.0.0/20'],
      ['cidr("10.0.0.0/8").prefixLength()', 8],
    ],
  ],
  [
    'formats and times',
    [
      ['format.dns1123Label().validate("web").hasValue()', false],
      ['format.named("dns1123Label").value().validate("Web").value()[0].contains("RFC 1123")', true],
      ['format.named("none").hasValue() || format.dns1123LabelPrefix().validate("web-").hasValue()', false],
      ['format.date().validate("2024-02-30").value()', ['invalid date']],
      ['timestamp("2024-01-01T00:00:00Z") + duration("1h") > timestamp("2024-01-01T00:30:00Z")', true],
      ['string(timestamp("2024-01-01T00:00:00.500Z"))', '2024-01-01T00:00:00.5Z'],
      ['duration("90m") - duration("30m") == duration("1h")', true],
    ],
  ],
])('%s', (_, cases) => {
  test.each(cases)('%s', (source, value, object) => {
    expect(evaluate(source, object)).toEqual(value)
  })
})

describe('types', () => {
  const self = objectOf({
    replicas: { kind: 'int' },
    'max-surge': dyn,
    namespace: text,
    since: { kind: 'timestamp' },
    containers: listOf(objectOf({ name: text })),
    labels: mapOf(text),
  })

  test.each([
    ['self.replica > 1', "ERROR: <input>:1:6: undefined field 'replica'\n | self.replica > 1\n | .....^"],
    ['self.replicas == "a"', "found no matching overload for '_==_' applied to '(int, string)'"],
    ['other', "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other\n | ^"],
    ['self.containers[0].nam == ""', "undefined field 'nam'"],
    ['self.containers.all(c, c.nam == "")', "undefined field 'nam'"],
    ['self.replicas >', 'Syntax error: '],
    ['self.replicas', 'must evaluate to bool'],
    ['self.labels.contains("x")', "found no matching overload for 'contains' applied to 'map.(string)'"],
  ])('%s is refused', (source, message) => {
    const compile = () => cel.environment({ self }).compile(source, { returns: ['bool'] })
    expect(compile).toThrow(CelError)
    expect(compile).toThrow(message)
  })

  test.each([
    'self.replicas > 1 && self.max__dash__surge == "25%" && self.__namespace__ == "a"',
    'self.since < timestamp("2025-01-01T00:00:00Z")',
    'self.containers.exists(c, c.name == "web") && self.containers[0].name.size() == 3',
    'self == self && self.containers[0] == self.containers[0] && self.labels["a"] == "b"',
  ])('%s is true', (source) => {
    const program = cel.environment({ self }).compile(source, { returns: ['bool'] })
    const value = {
      replicas: 2,
      'max-surge': '25%',
      namespace: 'a',
      since: '2024-01-01T00:00:00Z',
      containers: [{ name: 'web' }],
      labels: { a: 'b' },
    }
    expect(program.evaluate({ self: cel.toCelValue(value, self) })).toBe(true)
  })
})

test.each([
  ['object.a.b', 'no such key: a', {}],
  ['object.list[3]', 'index out of bounds: 3', { list: [1] }],
  ['1 / object.zero', 'division by zero', { zero: 0 }],
  ['object.a + 1', 'no such overload', { a: 'x' }],
  ['[].max()', 'max called on empty list', {}],
  ['quantity("x")', 'quantities must match', {}],
  ['"a".matches("(?=a)")', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`', {}],
])('%s fails', (source, message, object) => {
  expect(() => evaluate(source, object)).toThrow(message)
})

describe('the budget', () => {
  const list = Array.from({ length: 200 }, (_, i) => i)

  test.each([
    'object.all(a, object.all(b, object.all(c, a + b + c >= 0)))',
    'object.map(a, object.map(b, object)).size() > 0 && object.all(a, object.all(b, [object, object] != []))',
    '!object.exists(a, object.exists(b, object.exists(c, false))) || true',
    'object.all(i, a, object.all(j, b, object.all(k, c, true)))',
    'object.map(a, "x").join("y").replace("", "abc".replace("", "0123456789".replace("", "0123456789"))).replace("", "0123456789".replace("", "0123456789")).size() > 0',
  ])('stops %s', (source) => {
    expect(() => evaluate(source, list)).toThrow('operation cancelled: actual cost limit exceeded')
  })

  test('is shared by what is evaluated with it', () => {
    const program = cel.environment({ object: dyn }).compile('object.all(x, x >= 0)')
    const budget = new CostBudget(2000)
    const object = cel.toCelValue(list)
    expect(program.evaluate({ object }, budget)).toBe(true)
    expect(() => [1, 2, 3].map(() => program.evaluate({ object }, budget))).toThrow('cost limit')
  })

  test('is hardly touched by what is cheap', () => {
    const budget = new CostBudget(1000)
    cel
      .environment({ object: dyn })
      .compile('object.a == 1')
      .evaluate({ object: cel.toCelValue({ a: 1 }) }, budget)
    expect(budget.remaining).toBeGreaterThan(990)
  })
})

describe('the estimate of what an expression may cost', () => {
  const estimate = (source: string, self: CelType) => cel.environment({ self }).compile(source).estimateCost()
  const unbounded = objectOf({ list: listOf(text) })
  const bounded = objectOf({ list: listOf({ kind: 'string', maxSize: 10 }, 10) })

  test.each([
    'self.list.all(x, self.list.all(y, x == y))',
    'self.list.all(i, x, self.list.exists(j, y, x == y && i != j))',
    'self.list.map(x, x + "a").exists(x, self.list.exists(y, x.contains(y)))',
    'cel.bind(all, self.list, all.all(x, x in all))',
    'self.list.all(x, x.matches("^[a-z]+$"))',
  ])('%s: more than one may, unless its lists and texts are bounded', (source) => {
    expect(estimate(source, unbounded)).toBeGreaterThan(staticCostLimit)
    expect(estimate(source, bounded)).toBeLessThan(10_000)
  })

  test.each([
    'self.list[0].size() <= 5',
    'duration(self.list[0]) > duration("1s") && timestamp(self.list[0]).getHours() != 0',
    'int(self.list[0]) + 1 != 2',
  ])('%s: a length does not matter where nobody looks at every character', (source) => {
    expect(estimate(source, unbounded)).toBeLessThan(50)
  })

  test('the keys of a map count as nothing, as upstream has it', () => {
    const labels: CelType = { kind: 'map', of: text, maxSize: 8 }
    expect(estimate('self.all(key, key.matches("^[a-z]+$"))', labels)).toBeLessThan(100)
    expect(estimate('self.all(key, self[key].matches("^[a-z]+$"))', labels)).toBeGreaterThan(100_000)
  })

  test('a field costs next to nothing', () => {
    expect(estimate('self.list.size() > 2 && has(self.list) ? self.list[0] == "a" : true', unbounded)).toBeLessThan(20)
  })
})

test('the authorizer asks whoever decides, twice at most', () => {
  const asked: unknown[] = []
  const checks: Checks = {
    resource: (attributes) => (asked.push(attributes), { allowed: attributes.verb === 'get', reason: 'because' }),
    path: (path, verb) => (asked.push([path, verb]), { allowed: true, reason: '' }),
    as: () => checks,
  }
  const environment = cel.environment({ authorizer: { kind: 'kubernetes.authorization.Authorizer' } })
  const run = (source: string) => environment.compile(source).evaluate({ authorizer: new CelAuthorizer(checks) })
  const pods = 'authorizer.group("").resource("pods").namespace("a").name("b").subresource("log")'
  expect(run(`${pods}.check("get").allowed() && !${pods}.check("list").allowed()`)).toBe(true)
  expect(asked[0]).toEqual({ verb: 'get', group: '', resource: 'pods', subresource: 'log', namespace: 'a', name: 'b' })
  expect(run('authorizer.path("/healthz").check("get").reason()')).toBe('')
  const thrice = Array(3).fill('authorizer.path("/x").check("get").allowed()').join(' && ')
  expect(() => run(thrice)).toThrow('cost limit exceeded')
})
