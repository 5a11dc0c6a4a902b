import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRequest } from '@dinghy/shared/pki/certificate-request'
import { serverFixture } from '../testing/server-fixture.ts'

const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'
const client = 'kubernetes.io/kube-apiserver-client'

let fixture: Awaited<ReturnType<typeof serverFixture>>

beforeAll(async () => {
  fixture = await serverFixture({ authorizationModes: ['RBAC'] })
  const subresources = ['certificatesigningrequests/approval', 'certificatesigningrequests/status']
  await made(
    'writer',
    [{ verbs: ['patch'], apiGroups: ['certificates.k8s.io'], resources: subresources }],
    'ann',
    'bob',
  )
  const signers = { apiGroups: ['certificates.k8s.io'], resources: ['signers'] }
  await made('approver', [{ ...signers, verbs: ['approve'], resourceNames: [client] }], 'bob')
  await made('signer', [{ ...signers, verbs: ['sign'], resourceNames: ['kubernetes.io/*'] }], 'bob')
})
afterAll(() => fixture.close())

async function made(name: string, rules: object[], ...users: string[]) {
  expect((await fixture.ask('POST', `${rbac}/clusterroles`, { metadata: { name }, rules })).code).toBe(201)
  const subjects = users.map((user) => ({ kind: 'User', name: user }))
  const binding = { metadata: { name }, roleRef: { apiGroup, kind: 'ClusterRole', name }, subjects }
  expect((await fixture.ask('POST', `${rbac}/clusterrolebindings`, binding)).code).toBe(201)
}

async function ask(name: string, groups: string[] = ['devs'], signerName = client) {
  const { request } = await createRequest({ user: 'jane', groups })
  const spec = { request: Buffer.from(request).toString('base64'), signerName, usages: ['client auth'] }
  return await fixture.ask('POST', path, { metadata: { name }, spec })
}

async function write(user: string, name: string, subresource: string, status: object) {
  const headers = { 'impersonate-user': user, 'content-type': 'application/merge-patch+json' }
  return await fixture.ask('PATCH', `${path}/${name}/${subresource}`, { status }, headers)
}

const approved = { conditions: [{ type: 'Approved', status: 'True', reason: 'R', message: 'm' }] }

test('to approve takes the right to approve for the signer', async () => {
  expect((await ask('a')).code).toBe(201)
  const refused = await write('ann', 'a', 'approval', approved)
  expect(refused.code).toBe(403)
  expect(refused.json['message']).toBe(
    `certificatesigningrequests.certificates.k8s.io "a" is forbidden: user not permitted to approve requests with signerName "${client}"`,
  )
  expect((await write('bob', 'a', 'approval', approved)).code).toBe(200)
})

test('to sign takes the right to sign, of which the whole domain will do', async () => {
  expect((await ask('b')).code).toBe(201)
  const certificate = Buffer.from('-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n').toString('base64')
  const refused = await write('ann', 'b', 'status', { certificate })
  expect(refused.json['message']).toContain(`user not permitted to sign requests with signerName "${client}"`)
  expect((await write('bob', 'b', 'status', { certificate })).code).toBe(200)
})

test('nobody asks to become a superuser', async () => {
  const refused = await ask('c', ['devs', 'system:masters'])
  expect(refused.code).toBe(403)
  expect(refused.json['message']).toContain(`use of ${client} signer with system:masters group is not allowed`)
  expect((await ask('d', ['system:masters'], 'example.com/own')).code).toBe(201)
})

test('a request that cannot be read is refused', async () => {
  const request = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n')
  const spec = { request: request.toString('base64'), signerName: client, usages: ['client auth'] }
  const refused = await fixture.ask('POST', path, { metadata: { name: 'e' }, spec })
  expect(refused.code).toBe(403)
  expect(refused.json['message']).toContain('failed to parse CSR')
})
