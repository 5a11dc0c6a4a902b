/**
 * No request may hurt the server: whatever a client sends is answered quickly, and with 4xx if it is the client's
 * fault.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serverFixture } from '../testing/server-fixture.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>
beforeAll(async () => {
  fixture = await serverFixture()
  await fixture.ask('POST', configMaps, { metadata: { name: 'x' }, data: { a: 'b' } })
})
afterAll(() => fixture.close())

const configMaps = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'
function deep(levels: number): string {
  return '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
}
const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('')].map((line, i, all) =>
  i === 0
    ? line
    : `${line}: &${line} [${Array(10)
        .fill(`*${all[i - 1]?.at(0)}`)
        .join(',')}]`,
)
const jsonPatch = { 'content-type': 'application/json-patch+json' }
const mergePatch = { 'content-type': 'application/merge-patch+json' }
const strategic = { 'content-type': 'application/strategic-merge-patch+json' }
const apply = { 'content-type': 'application/apply-patch+yaml' }
const yaml = { 'content-type': 'application/yaml' }
const copies = [
  { op: 'add', path: '/data', value: { a: 'y'.repeat(1000) } },
  ...Array.from({ length: 24 }, (_, i) => ({ op: 'copy', from: '/data', path: `/data/c${i}` })),
]
const api = { group: 'x.y', groupPriorityMinimum: 1, versionPriority: 1 }
const nested = Array.from({ length: 1500 }, (_, i) => ({ op: 'add', path: `/data${'/a'.repeat(i + 1)}`, value: {} }))

test.each<[string, string, string, string | object, Record<string, string>, number]>([
  ['a JSON patch that copies itself', 'PATCH', `${configMaps}/x`, copies, jsonPatch, 422],
  ['a JSON patch that builds a tower', 'PATCH', `${configMaps}/x`, nested, jsonPatch, 400],
  ['a deep JSON body', 'POST', configMaps, deep(100_000), {}, 400],
  ['a deep YAML body', 'POST', configMaps, '['.repeat(50_000), yaml, 400],
  ['a deep YAML body of mappings', 'POST', configMaps, deep(200_000), yaml, 400],
  ['a YAML list of lists in one line', 'POST', configMaps, '- '.repeat(100_000), yaml, 400],
  ['YAML that is as deep as JSON may be', 'POST', configMaps, deep(990), yaml, 400],
  ['a deep merge patch', 'PATCH', `${configMaps}/x`, deep(10_000), mergePatch, 400],
  ['a deep strategic patch', 'PATCH', `${configMaps}/x`, deep(10_000), strategic, 400],
  ['a deep apply', 'PATCH', `${configMaps}/x?fieldManager=m`, deep(10_000), apply, 400],
  ['a YAML alias bomb', 'POST', configMaps, bomb.join('\n'), yaml, 400],
  ['an alias bomb that is applied', 'PATCH', `${configMaps}/x?fieldManager=m`, bomb.join('\n'), apply, 400],
  ['YAML that is none', 'POST', configMaps, 'a: [', yaml, 400],
  ['a media type like a method of objects', 'POST', configMaps, '{}', { 'content-type': 'constructor' }, 415],
  ['the same for a patch', 'PATCH', `${configMaps}/x`, '{}', { 'content-type': 'toString' }, 415],
  ['no media type at all', 'POST', configMaps, '{}', { 'content-type': ';' }, 422],
  ['a patch that deletes everything', 'PATCH', `${configMaps}/x`, '{"$patch":"delete"}', strategic, 422],
  ['a patch that is null', 'PATCH', `${configMaps}/x`, 'null', mergePatch, 400],
  ['a patch that is a list', 'PATCH', `${configMaps}/x`, '[]', strategic, 400],
  ['a JSON patch of nulls', 'PATCH', `${configMaps}/x`, '[null]', jsonPatch, 400],
  ['metadata that is null', 'PATCH', `${configMaps}/x`, '{"metadata":null}', mergePatch, 422],
  ['a path that is no path', 'GET', '/api/v1/nodes/%zz', '', {}, 400],
  ['a path of bytes that are no text', 'GET', '/api/v1/nodes/%ff%fe', '', {}, 400],
  ['a zero byte in a name', 'GET', `${configMaps}/a%00b`, '', {}, 404],
  ['a zero byte in a namespace', 'GET', '/api/v1/namespaces/a%00b/configmaps', '', {}, 200],
  ['a zero byte in a new name', 'POST', configMaps, { metadata: { name: 'a\0b' } }, {}, 422],
  ['a selector by an inherited field', 'GET', `${pods}?fieldSelector=constructor=x`, '', {}, 400],
  ['a resource with an inherited name', 'GET', '/api/v1/constructor', '', {}, 404],
  ['a subresource with an inherited name', 'GET', `${configMaps}/x/constructor`, '', {}, 404],
  ['an OpenAPI document with an inherited name', 'GET', '/openapi/v3/constructor', '', {}, 404],
  ['a group with an inherited name', 'GET', '/apis/constructor', '', {}, 404],
  ['a continue token that is none', 'GET', `${configMaps}?continue=rubbish`, '', {}, 400],
  ['a revision that no number can hold', 'GET', `${configMaps}?resourceVersion=${'9'.repeat(30)}`, '', {}, 400],
  ['a Job that is nothing', 'POST', '/apis/batch/v1/namespaces/default/jobs', '{}', {}, 422],
  ['an APIService without a name', 'POST', '/apis/apiregistration.k8s.io/v1/apiservices', { spec: api }, {}, 422],
  ['a deletion across all namespaces', 'DELETE', '/api/v1/configmaps', '', {}, 405],
  ['a creation across all namespaces', 'POST', '/api/v1/configmaps', { metadata: { name: 'y' } }, {}, 405],
  ['a limit without end', 'GET', `${configMaps}?limit=99999999999999999999`, '', {}, 200],
])('%s', async (_name, method, path, body, headers, code) => {
  const answer = await fixture.ask(method, path, body === '' ? undefined : body, headers)
  expect([answer.code, answer.code < 400 ? 'Status' : answer.json['kind']]).toEqual([code, 'Status'])
  expect(fixture.log.filter((line) => line.includes('request failed'))).toEqual([])
})

describe('keys that every object inherits are keys like others', () => {
  const pod = (name: string, spec: object = {}, metadata: object = {}) => ({
    metadata: { name, ...metadata },
    spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
  })

  test('of labels and selectors', async () => {
    const labels = { constructor: 'x', toString: 'y' }
    const created = await fixture.ask(
      'POST',
      pods,
      pod('inherited', { nodeSelector: { constructor: 'x' } }, { labels }),
    )
    expect(created.code).toBe(201)
    const found = async (selector: string) =>
      (await fixture.ask('GET', `${pods}?labelSelector=${selector}`)).json['items']?.length
    expect([await found('constructor=x'), await found('valueOf'), await found('!toString')]).toEqual([1, 0, 0])
  })

  test('a LimitRange without limits limits nothing', async () => {
    const ranges = '/api/v1/namespaces/default/limitranges'
    for (const [name, spec] of Object.entries({ none: {}, nothing: undefined, empty: { limits: [] } })) {
      expect((await fixture.ask('POST', ranges, { metadata: { name }, ...(spec ? { spec } : {}) })).code).toBe(201)
    }
    expect((await fixture.ask('POST', pods, pod('limitless'))).code).toBe(201)
    const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
    const claims = '/api/v1/namespaces/default/persistentvolumeclaims'
    expect((await fixture.ask('POST', claims, { metadata: { name: 'c' }, spec: claim })).code).toBe(201)
  })
})
