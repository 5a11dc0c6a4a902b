/** A whole API server with another one behind an APIService. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HttpServer } from '@dinghy/shared/http/server'
import { createAuthority, issueCertificate, type KeyPair } from '@dinghy/shared/pki/authority'
import { serverFixture } from '../testing/server-fixture.ts'

type Fixture = Awaited<ReturnType<typeof serverFixture>>

let fixture: Fixture
let extension: HttpServer
let authority: KeyPair
let port: number
/** The headers of the requests that the extension server got. */
let seen: Record<string, unknown>[]
const group = '/apis/wardle.example.com/v1alpha1'
const name = 'v1alpha1.wardle.example.com'
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'

beforeAll(async () => {
  const validity = { now: Date.now(), expiresInSeconds: 3600 }
  authority = createAuthority('wardle-ca', validity)
  const { certificate, key } = issueCertificate(authority, {
    ...validity,
    subject: { user: 'wardle', groups: [] },
    names: ['wardle.default.svc'],
    usages: ['digital signature', 'server auth'],
  })
  seen = []
  extension = new HttpServer()
  extension.app.get(group, () => ({
    kind: 'APIResourceList',
    groupVersion: 'wardle.example.com/v1alpha1',
    resources: [
      { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs: ['get'] },
      { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get'] },
    ],
  }))
  extension.app.get(`${group}/namespaces/default/flunders/one`, ({ headers }) => {
    seen.push(headers)
    return { kind: 'Flunder' }
  })
  ;({ port } = await extension.listen({ host: '127.0.0.1', port: 0, tls: { cert: certificate, key } }))
  fixture = await serverFixture()
})
afterAll(async () => {
  await fixture.close()
  await extension.close()
})

/** The condition Available, once its reason is this one. */
async function available(reason: string) {
  const watched = await fixture.watch(`${apiServices}?watch=true&fieldSelector=metadata.name%3D${name}`)
  try {
    for (let event = await watched.next(); event; event = await watched.next()) {
      const condition = event['object']?.['status']?.['conditions']?.[0]
      if (String(condition?.['reason']) === reason) return condition
    }
    throw new Error('the watch ended')
  } finally {
    watched.close()
  }
}

async function groups(): Promise<string[]> {
  const { json } = await fixture.ask('GET', '/apis', undefined, {
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  })
  return (json['items'] as unknown as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name)
}

test('a group comes with its server, and says what is wrong until it does', async () => {
  const { ask } = fixture
  const spec = {
    group: 'wardle.example.com',
    version: 'v1alpha1',
    groupPriorityMinimum: 1000,
    versionPriority: 15,
    service: { namespace: 'default', name: 'wardle' },
    caBundle: Buffer.from(authority.certificate).toString('base64'),
  }
  const apiService = { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name }, spec }
  expect((await ask('POST', apiServices, apiService)).code).toBe(201)
  expect(await available('ServiceNotFound')).toMatchObject({
    status: 'False',
    message: 'service/wardle in "default" is not present',
  })
  expect(await groups()).not.toContain('wardle.example.com')
  const away = await ask('GET', `${group}/namespaces/default/flunders/one`)
  expect([away.code, away.json['message']]).toEqual([503, 'service unavailable'])

  await ask('POST', '/api/v1/namespaces/default/services', {
    metadata: { name: 'wardle' },
    spec: { ports: [{ port: 443, targetPort: port }] },
  })
  expect(await available('EndpointsNotFound')).toMatchObject({ status: 'False' })
  await ask('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 'wardle-1', labels: { 'kubernetes.io/service-name': 'wardle' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'] }],
    ports: [{ name: '', port }],
  })
  expect(await available('Passed')).toMatchObject({ status: 'True', message: 'all checks passed' })
  expect(await groups()).toContain('wardle.example.com')
})

test('its server learns who asks, and gets no credentials', async () => {
  const headers = { 'x-remote-user': 'eve', 'impersonate-user': 'alice', 'impersonate-group': 'authors' }
  const answered = await fixture.ask('GET', `${group}/namespaces/default/flunders/one`, undefined, headers)
  expect([answered.code, answered.json]).toEqual([200, { kind: 'Flunder' }])
  expect(seen.at(-1)).toMatchObject({ 'x-remote-user': 'alice' })
  expect(String(seen.at(-1)?.['x-remote-group'])).toContain('authors')
  expect(Object.keys(seen.at(-1) ?? {})).not.toContain('impersonate-user')
  expect((await fixture.ask('GET', group)).json['resources']).toHaveLength(2)
})

test('discovery has its subresources below their resource', async () => {
  const { json } = await fixture.ask('GET', '/apis', undefined, {
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  })
  const items = json['items'] as unknown as { metadata: { name: string }; versions: object[] }[]
  expect(items.find(({ metadata }) => metadata.name === 'wardle.example.com')?.versions).toMatchObject([
    {
      version: 'v1alpha1',
      resources: [
        {
          resource: 'flunders',
          scope: 'Namespaced',
          responseKind: { group: 'wardle.example.com', kind: 'Flunder' },
          subresources: [{ subresource: 'status', verbs: ['get'] }],
        },
      ],
    },
  ])
  expect((await fixture.ask('GET', '/apis/wardle.example.com')).json).toMatchObject({
    kind: 'APIGroup',
    preferredVersion: { version: 'v1alpha1' },
  })
})

test('without its APIService the group is gone', async () => {
  const { ask } = fixture
  expect((await ask('DELETE', `${apiServices}/${name}`)).code).toBe(200)
  await expect.poll(async () => (await ask('GET', group)).code).toBe(404)
  expect(await groups()).not.toContain('wardle.example.com')
})

test('what this server answers itself is registered as local', async () => {
  await expect.poll(async () => (await fixture.ask('GET', `${apiServices}/v1.apps`)).code).toBe(200)
  const { json } = await fixture.ask('GET', `${apiServices}/v1.apps`)
  expect(json).toMatchObject({
    metadata: { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
    spec: { group: 'apps', version: 'v1', groupPriorityMinimum: 17800, versionPriority: 15 },
    status: { conditions: [{ type: 'Available', status: 'True', reason: 'Local' }] },
  })
})
