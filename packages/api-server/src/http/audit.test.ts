/** What is written down about requests of every kind. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { AuditPolicy } from '../audit/policy.ts'
import { type Json, serverFixture } from '../testing/server-fixture.ts'

const policy: AuditPolicy = {
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', resources: [{ group: '', resources: ['secrets'] }] },
    { level: 'Request', verbs: ['create', 'patch'] },
    { level: 'RequestResponse', verbs: ['get'], omitManagedFields: true },
    { level: 'Metadata' },
  ],
}
const events: Json[] = []
const log = { write: (event: object) => void events.push(event as Json), close: () => Promise.resolve() }
const configMaps = '/api/v1/namespaces/default/configmaps'

let fixture: Awaited<ReturnType<typeof serverFixture>>
beforeAll(async () => {
  fixture = await serverFixture({ audit: { policy, log } })
})
afterAll(() => fixture.close())
beforeEach(() => void events.splice(0))

/** The events that there are once the last request is over. */
async function written(count: number): Promise<Json[]> {
  await expect.poll(() => events.length, { timeout: 10_000 }).toBe(count)
  return events
}

test('a create: who, what, how it was decided, and the object as it was sent', async () => {
  const body = { metadata: { name: 'a' }, data: { key: 'value' } }
  const headers = { 'user-agent': 'tester/1', 'audit-id': 'one', 'x-forwarded-for': '10.0.0.9' }
  const { json } = await fixture.ask('POST', `${configMaps}?fieldManager=me`, body, headers)
  expect(json['metadata']?.['uid']).toBeDefined()
  expect(await written(1)).toEqual([
    {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Request',
      auditID: 'one',
      stage: 'ResponseComplete',
      requestURI: `${configMaps}?fieldManager=me`,
      verb: 'create',
      user: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
      sourceIPs: ['10.0.0.9', '127.0.0.1'],
      userAgent: 'tester/1',
      objectRef: { resource: 'configmaps', namespace: 'default', apiVersion: 'v1' },
      responseStatus: { metadata: {}, code: 201 },
      requestObject: { kind: 'ConfigMap', apiVersion: 'v1', ...body },
      requestReceivedTimestamp: '2025-01-01T00:00:00.000000Z',
      stageTimestamp: '2025-01-01T00:00:00.000000Z',
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
    },
  ])
})

test('an answer is told without its managed fields, a refusal with its reason', async () => {
  await fixture.ask('POST', configMaps, { metadata: { name: 'b' }, data: {} })
  await fixture.ask('GET', `${configMaps}/b`)
  await fixture.ask('GET', `${configMaps}/none`)
  const [, got, refused] = await written(3)
  expect(got?.['responseObject']?.['metadata']).toMatchObject({ name: 'b' })
  expect(got?.['responseObject']?.['metadata']).not.toHaveProperty('managedFields')
  expect(refused?.['responseStatus']).toMatchObject({
    status: 'Failure',
    reason: 'NotFound',
    message: 'configmaps "none" not found',
    code: 404,
  })
})

test('a patch is told as the patch that it is', async () => {
  await fixture.ask('POST', configMaps, { metadata: { name: 'c' } })
  const headers = { 'content-type': 'application/merge-patch+json' }
  await fixture.ask('PATCH', `${configMaps}/c`, JSON.stringify({ data: { a: 'b' } }), headers)
  const [, patched] = await written(2)
  expect(patched).toMatchObject({ verb: 'patch', requestObject: { data: { a: 'b' } } })
})

test('somebody else is told beside the one who acts for them', async () => {
  await fixture.ask('GET', '/api/v1/nodes', undefined, { 'impersonate-user': 'jane' })
  expect((await written(1))[0]).toMatchObject({
    user: { username: 'kubernetes-admin' },
    impersonatedUser: { username: 'jane' },
    verb: 'list',
  })
})

test('whoever is not let in is told of, too', async () => {
  await fixture.ask('GET', '/api/v1/nodes', undefined, { authorization: 'Bearer x' })
  expect((await written(1))[0]).toMatchObject({ user: {}, responseStatus: { reason: 'Unauthorized', code: 401 } })
})

test('a watch is told of when it begins and when it ends', async () => {
  const watch = await fixture.watch(`${configMaps}?watch=true&timeoutSeconds=60`)
  expect((await written(1))[0]).toMatchObject({ verb: 'watch', stage: 'ResponseStarted', level: 'Metadata' })
  watch.close()
  expect((await written(2))[1]).toMatchObject({ stage: 'ResponseComplete', responseStatus: { code: 200 } })
})

test('what the policy does not want to see is not there, and paths have no objects', async () => {
  await fixture.ask('GET', '/api/v1/namespaces/default/secrets')
  await fixture.ask('GET', '/version')
  const [only] = await written(1)
  expect(only).toMatchObject({ requestURI: '/version', verb: 'get', responseStatus: { code: 200 } })
  expect(only).not.toHaveProperty('objectRef')
  expect(only).not.toHaveProperty('responseObject')
})
