/** Which route a request comes to: the table of the documentation, and the order among those that overlap. */

import { describe, expect, test } from 'vitest'
import type { Route } from './model.ts'
import { pathMatch } from './route-match.ts'
import { RouteTable } from './route-table.ts'

function route(name: string, path: [type: 'Exact' | 'Prefix', value: string], more: Partial<Route> = {}): Route {
  return {
    source: { kind: 'Ingress', namespace: 'shop', name, rule: 0, createdAt: '2025-01-01T00:00:00Z' },
    ports: [80],
    host: '',
    wildcardLabels: 'one',
    path: pathMatch(...path),
    headers: [],
    query: [],
    isDefault: false,
    filters: [],
    backends: [],
    ...more,
  }
}

function found(routes: Route[], request: { host?: string; path?: string; method?: string; headers?: string[] } = {}) {
  const facts = { port: 80, host: 'a.example', method: 'GET', path: '/', query: 'v=2&v=3', headers: [], ...request }
  return new RouteTable(routes, []).find(facts)?.source.name
}

// The examples of https://kubernetes.io/docs/concepts/services-networking/ingress/#examples
test.each([
  ['Prefix', '/', '/foo', true],
  ['Exact', '/foo', '/foo', true],
  ['Exact', '/foo', '/bar', false],
  ['Exact', '/foo', '/foo/', false],
  ['Exact', '/foo/', '/foo', false],
  ['Prefix', '/foo', '/foo', true],
  ['Prefix', '/foo', '/foo/', true],
  ['Prefix', '/foo/', '/foo', true],
  ['Prefix', '/foo/', '/foo/', true],
  ['Prefix', '/aaa/bb', '/aaa/bbb', false],
  ['Prefix', '/aaa/bbb', '/aaa/bbb', true],
  ['Prefix', '/aaa/bbb/', '/aaa/bbb', true],
  ['Prefix', '/aaa/bbb', '/aaa/bbb/', true],
  ['Prefix', '/aaa/bbb', '/aaa/bbb/ccc', true],
  ['Prefix', '/aaa/bbb', '/aaa/bbbxyz', false],
  ['Prefix', '/foo', '/FOO', false],
] as const)('%s %s and a request for %s: %s', (type, value, path, isWanted) => {
  expect(found([route('it', [type, value])], { path })).toBe(isWanted ? 'it' : undefined)
})

test.each([
  ['*.foo.example', 'bar.foo.example', 'one', true],
  ['*.foo.example', 'baz.bar.foo.example', 'one', false],
  ['*.foo.example', 'baz.bar.foo.example', 'many', true],
  ['*.foo.example', 'foo.example', 'many', false],
  ['*.foo.example', 'xfoo.example', 'many', false],
  ['foo.example', 'foo.example', 'one', true],
  ['foo.example', 'a.foo.example', 'one', false],
] as const)('host %s and a request for %s, "*" being %s label: %s', (host, asked, wildcardLabels, isWanted) => {
  expect(found([route('it', ['Prefix', '/'], { host, wildcardLabels })], { host: asked })).toBe(
    isWanted ? 'it' : undefined,
  )
})

describe('among several', () => {
  test('exact hosts come before wildcards, longer wildcards before shorter ones, any host last', () => {
    const many = { wildcardLabels: 'many' as const }
    const routes = [
      route('any', ['Exact', '/']),
      route('short', ['Exact', '/'], { host: '*.example', ...many }),
      route('long', ['Exact', '/'], { host: '*.b.example', ...many }),
      route('exact', ['Prefix', '/'], { host: 'a.b.example' }),
    ]
    expect(['a.b.example', 'c.b.example', 'c.example', 'c.org'].map((host) => found(routes, { host }))).toEqual([
      'exact',
      'long',
      'short',
      'any',
    ])
  })

  test('a host that has no route for a path leaves it to a less specific one', () => {
    const routes = [route('exact', ['Exact', '/only'], { host: 'a.example' }), route('any', ['Prefix', '/'])]
    expect(found(routes, { path: '/other' })).toBe('any')
  })

  test('exact paths come before prefixes and longer prefixes before shorter ones', () => {
    const routes = [route('root', ['Prefix', '/']), route('exact', ['Exact', '/a/b']), route('long', ['Prefix', '/a'])]
    expect(['/a/b', '/a/b/c', '/x'].map((path) => found(routes, { path }))).toEqual(['exact', 'long', 'root'])
  })

  test('then a method, headers, query parameters, age, name, rule', () => {
    const at = (name: string, createdAt: string, rule = 0): Partial<Route> => ({
      source: { kind: 'HTTPRoute', namespace: 'shop', name, rule, createdAt },
    })
    const old = '2024-01-01T00:00:00Z'
    const young = '2026-01-01T00:00:00Z'
    const v2 = { name: 'v', value: '2' }
    const routes = [
      route('', ['Prefix', '/'], { ...at('b', young) }),
      route('', ['Prefix', '/'], { ...at('a', young) }),
      route('', ['Prefix', '/'], { ...at('z', old, 1) }),
      route('', ['Prefix', '/'], { ...at('y', old), query: [v2] }),
      route('', ['Prefix', '/'], { ...at('x', old), headers: [{ name: 'canary', value: 'yes' }] }),
      route('', ['Prefix', '/'], { ...at('w', young), method: 'POST' }),
    ]
    const headers = ['Canary', 'yes']
    expect(found(routes, { headers, method: 'POST' })).toBe('w')
    expect(found(routes, { headers })).toBe('x')
    expect(found(routes)).toBe('y')
    expect(found(routes.slice(0, 3))).toBe('z')
    expect(found(routes.slice(0, 2))).toBe('a')
  })

  test('a default backend has what nothing else wants', () => {
    const routes = [route('default', ['Prefix', '/'], { isDefault: true }), route('web', ['Prefix', '/web'])]
    expect(['/web', '/x'].map((path) => found(routes, { path }))).toEqual(['web', 'default'])
  })
})

test('of listeners at one port, a host belongs to the most specific alone', () => {
  const key = (name: string) => ({ gateway: 'infra/main', name })
  const listeners = [
    { ...key('all'), port: 80, hostname: '' },
    { ...key('shop'), port: 80, hostname: '*.shop.example' },
  ]
  const routes = [
    route('everything', ['Prefix', '/'], { listener: key('all') }),
    route('shop', ['Prefix', '/cart'], { listener: key('shop'), host: '*.shop.example', wildcardLabels: 'many' }),
  ]
  const table = new RouteTable(routes, listeners)
  const ask = (host: string, path: string) =>
    table.find({ port: 80, host, method: 'GET', path, query: '', headers: [] })?.source.name
  expect(ask('eu.shop.example', '/cart')).toBe('shop')
  expect(ask('eu.shop.example', '/about')).toBeUndefined()
  expect(ask('other.example', '/about')).toBe('everything')
  expect(table.find({ port: 443, host: 'x', method: 'GET', path: '/', query: '', headers: [] })).toBeUndefined()
})
