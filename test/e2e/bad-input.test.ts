/**
 * Rubbish in, the right error out, and nothing changed: what Kubernetes answers to input that is wrong. The first half
 * speaks raw HTTP, because clients check most of this before they send it; the second asks the real kubectl.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, isInstalled } from './harness/cluster.ts'

const cluster = new Cluster(1)

beforeAll(() => cluster.up())
afterAll(() => cluster.destroy())

interface Status {
  kind: string
  status: string
  message: string
  reason: string
  code: number
  details?: { causes?: { field: string; reason: string; message: string }[] }
}

interface Request {
  method?: string
  path: string
  body?: string
  type?: string
}

const pods = '/api/v1/namespaces/default/pods'
const strict = `${pods}?fieldValidation=Strict`
function pod(changes: object = {}, spec: object = {}) {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', ...changes },
    spec: { containers: [{ name: 'c', image: 'busybox' }], ...spec },
  })
}

async function send({ method = 'POST', path, body, type = 'application/json' }: Request): Promise<Status> {
  const response = await cluster.fetch(path, {
    method,
    ...(body !== undefined ? { body, headers: { 'content-type': type } } : {}),
  })
  expect(response.headers.get('content-type')).toContain('application/json')
  const status = (await response.json()) as Status
  expect(status).toMatchObject({ kind: 'Status', status: 'Failure', code: response.status })
  return status
}

async function revision(): Promise<string> {
  const response = await cluster.fetch(pods)
  const list = (await response.json()) as { items: unknown[] }
  return JSON.stringify(list.items)
}

describe('over HTTP', () => {
  test.each<[string, Request, number, string, string | RegExp]>([
    ['malformed JSON', { path: pods, body: '{"kind":' }, 400, 'BadRequest', /unexpected end|invalid/i],
    ['malformed YAML', { path: pods, body: 'a: [', type: 'application/yaml' }, 400, 'BadRequest', /yaml|error/i],
    ['not an object', { path: pods, body: '[]' }, 400, 'BadRequest', /./],
    [
      'nothing but a version',
      { path: pods, body: '{"apiVersion":"v1"}' },
      422,
      'Invalid',
      'name or generateName is required',
    ],
    [
      'a pod of nothing',
      { path: pods, body: '{"metadata":{"name":"x"},"spec":{}}' },
      422,
      'Invalid',
      'spec.containers: Required value',
    ],
    [
      'another kind',
      { path: pods, body: '{"apiVersion":"v1","kind":"Service","metadata":{"name":"x"}}' },
      400,
      'BadRequest',
      /Service/,
    ],
    [
      'an unknown field',
      { path: strict, body: pod({}, { colour: 'red' }) },
      400,
      'BadRequest',
      'strict decoding error: unknown field "spec.colour"',
    ],
    [
      'a duplicate field',
      { path: strict, body: '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","name":"b"}}' },
      400,
      'BadRequest',
      'duplicate field "metadata.name"',
    ],
    [
      'a wrong type',
      { path: pods, body: pod({}, { containers: 'none' }) },
      400,
      'BadRequest',
      /cannot unmarshal string into Go struct field/,
    ],
    [
      'an invalid name',
      { path: pods, body: pod({ name: 'Bad_Name' }) },
      422,
      'Invalid',
      'a lowercase RFC 1123 subdomain must consist of',
    ],
    [
      'an invalid label',
      { path: pods, body: pod({ labels: { a: 'b c' } }) },
      422,
      'Invalid',
      'a valid label must be an empty string or consist of',
    ],
    ['no name', { path: pods, body: pod({ name: undefined }) }, 422, 'Invalid', 'name or generateName is required'],
    [
      'no containers',
      { path: pods, body: pod({}, { containers: [] }) },
      422,
      'Invalid',
      'spec.containers: Required value',
    ],
    [
      'no image',
      { path: pods, body: pod({}, { containers: [{ name: 'c' }] }) },
      422,
      'Invalid',
      'spec.containers[0].image: Required value',
    ],
    [
      'a bad port',
      { path: pods, body: pod({}, { containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 70000 }] }] }) },
      422,
      'Invalid',
      'must be between 1 and 65535, inclusive',
    ],
    [
      'another namespace',
      { path: pods, body: pod({ namespace: 'other' }) },
      400,
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'a missing namespace',
      { path: '/api/v1/namespaces/nope/pods', body: pod() },
      404,
      'NotFound',
      'namespaces "nope" not found',
    ],
    [
      'a body over 3 MiB',
      { path: pods, body: pod({ annotations: { a: 'x'.repeat(3 << 20) } }) },
      413,
      'RequestEntityTooLarge',
      /limit is 3145728/,
    ],
    [
      'an unknown content type',
      { path: pods, body: 'x', type: 'text/plain' },
      415,
      'UnsupportedMediaType',
      /media type/,
    ],
    [
      'an unknown resource',
      { path: '/api/v1/namespaces/default/things', body: '{}' },
      404,
      'NotFound',
      'the server could not find the requested resource',
    ],
    [
      'an unknown group',
      { method: 'GET', path: '/apis/nope.example/v1/things' },
      404,
      'NotFound',
      'the server could not find the requested resource',
    ],
    ['a missing object', { method: 'GET', path: `${pods}/nope` }, 404, 'NotFound', 'pods "nope" not found'],
    [
      'a bad selector',
      { method: 'GET', path: `${pods}?labelSelector=a%3D%3D%3Db` },
      400,
      'BadRequest',
      'unable to parse requirement',
    ],
    [
      'an unknown field selector',
      { method: 'GET', path: `${pods}?fieldSelector=spec.colour%3Dred` },
      400,
      'BadRequest',
      /field label not supported: spec.colour/,
    ],
    ['a bad method', { method: 'PUT', path: pods, body: pod() }, 405, 'MethodNotAllowed', /./],
    [
      'a patch of nothing',
      { method: 'PATCH', path: `${pods}/nope`, body: '{}', type: 'application/merge-patch+json' },
      404,
      'NotFound',
      'pods "nope" not found',
    ],
    [
      'a revision from the future',
      { method: 'GET', path: `${pods}?resourceVersion=999999999&resourceVersionMatch=Exact` },
      504,
      'Timeout',
      /Too large resource version/,
    ],
  ])('%s', async (_name, request, code, reason, message) => {
    const before = await revision()
    const status = await send(request)
    expect([status.code, status.reason]).toEqual([code, reason])
    if (typeof message === 'string') expect(status.message).toContain(message)
    else expect(status.message).toMatch(message)
    expect(await revision()).toBe(before)
  })

  test('a stale resourceVersion is a conflict and changes nothing', async () => {
    const body = { metadata: { name: 'settings' }, data: { a: '1' } }
    const { metadata = {} } = await cluster.core.createNamespacedConfigMap({ namespace: 'default', body })
    await cluster.core.replaceNamespacedConfigMap({
      namespace: 'default',
      name: 'settings',
      body: { metadata, data: { a: '2' } },
    })
    const status = await send({
      method: 'PUT',
      path: '/api/v1/namespaces/default/configmaps/settings',
      body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '3' } }),
    })
    expect(status).toMatchObject({ code: 409, reason: 'Conflict' })
    expect(status.message).toContain(
      'the object has been modified; please apply your changes to the latest version and try again',
    )
    const { data } = await cluster.core.readNamespacedConfigMap({ namespace: 'default', name: 'settings' })
    expect(data).toEqual({ a: '2' })
  })

  test('a web page of another origin is turned away', async () => {
    const response = await cluster.fetch(pods, { headers: { origin: 'https://evil.example' } })
    expect(response.status).toBe(403)
  })
})

describe.runIf(isInstalled('kubectl'))('through kubectl', () => {
  test.each([
    [
      'an unknown field',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {colour: red, containers: [{name: c, image: x}]}',
      'unknown field "spec.colour"',
    ],
    [
      'an unknown kind',
      'apiVersion: v1\nkind: Boat\nmetadata: {name: p}',
      'no matches for kind "Boat" in version "v1"',
    ],
    ['YAML that is none', 'a: [', 'error converting YAML to JSON'],
    [
      'a Deployment whose labels do not match',
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'c' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
        },
      }),
      '`selector` does not match template `labels`',
    ],
    [
      'a node port out of range',
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 's' },
        spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
      }),
      'provided port is not in the valid range. The range of valid ports is 30000-32767',
    ],
  ])('%s', (_name, manifest, message) => {
    const { code, stderr } = cluster.kubectl(['apply', '-f', '-'], manifest)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })

  test('a field that may not change', () => {
    const deployment = (label: string) =>
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'fixed' },
        spec: {
          replicas: 0,
          selector: { matchLabels: { a: label } },
          template: { metadata: { labels: { a: label } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
        },
      })
    expect(cluster.kubectl(['apply', '-f', '-'], deployment('b')).code).toBe(0)
    const { code, stderr } = cluster.kubectl(['apply', '-f', '-'], deployment('c'))
    expect(code).not.toBe(0)
    expect(stderr).toContain('field is immutable')
  })
})

test('a missing image shows as ErrImagePull and then ImagePullBackOff', async () => {
  const spec = { containers: [{ name: 'c', image: 'no-such-image.example/nothing:1' }] }
  await cluster.core.createNamespacedPod({ namespace: 'default', body: { metadata: { name: 'hopeless' }, spec } })
  const seen = new Set<string>()
  const deadline = Date.now() + 60_000
  while (seen.size < 2 && Date.now() < deadline) {
    const { status } = await cluster.core.readNamespacedPod({ namespace: 'default', name: 'hopeless' })
    const reason = status?.containerStatuses?.[0]?.state?.waiting?.reason
    if (reason?.includes('Pull')) seen.add(reason)
  }
  expect([...seen].toSorted()).toEqual(['ErrImagePull', 'ImagePullBackOff'])
  await cluster.core.deleteNamespacedPod({ namespace: 'default', name: 'hopeless' })
})
