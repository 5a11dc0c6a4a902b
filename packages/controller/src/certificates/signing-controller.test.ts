import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CertificateSigningRequests } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import { createAuthority, type KeyPair } from '@dinghy/shared/pki/authority'
import { createRequest } from '@dinghy/shared/pki/certificate-request'
import { LoopTest } from '../testing/loop.ts'
import { CertificateCleaningController } from './cleaning-controller.ts'
import { CertificateSigningController } from './signing-controller.ts'

let loop: LoopTest
let authority: KeyPair

beforeEach(async () => {
  loop = await LoopTest.create()
  authority = createAuthority('kubernetes', { now: loop.clock.now(), expiresInSeconds: 10 * 365 * 86_400 })
  loop.flags = { signingAuthority: authority, signingDurationSeconds: 3600 }
})
afterEach(() => loop.end())

async function put(name: string, more: { spec?: object; conditions?: object[] } = {}) {
  const { request } = await createRequest({ user: 'jane', groups: ['devs'] })
  const spec = {
    request: Buffer.from(request).toString('base64'),
    signerName: 'kubernetes.io/kube-apiserver-client',
    usages: ['client auth'],
    ...more.spec,
  }
  const conditions = more.conditions ?? [
    { type: 'Approved', status: 'True', lastUpdateTime: rfc3339(loop.clock.now()) },
  ]
  loop.server.put(CertificateSigningRequests, { metadata: { name }, spec, status: { conditions } } as never)
}

function read(name: string) {
  return loop.server.read(CertificateSigningRequests, name)
}

function certificateOf(name: string): X509Certificate | undefined {
  const certificate = read(name)?.status.certificate
  return certificate ? new X509Certificate(Buffer.from(certificate, 'base64')) : undefined
}

test('what was approved is signed by the authority, for as long as it asks and the cluster gives', async () => {
  await put('long')
  await put('short', { spec: { expirationSeconds: 1200 } })
  loop.start(CertificateSigningController)
  await loop.until(() => certificateOf('long') !== undefined && certificateOf('short') !== undefined)
  const signed = certificateOf('long')
  expect(signed?.subject).toBe('O=devs\nCN=jane')
  expect(signed?.checkIssued(new X509Certificate(authority.certificate))).toBe(true)
  const lifetime = (name: string) =>
    Date.parse(certificateOf(name)?.validTo ?? '') - Date.parse(signed?.validFrom ?? '')
  const backdatedMs = 300_000
  expect(lifetime('long')).toBeCloseTo(3_600_000 + backdatedMs, -5)
  expect(lifetime('short')).toBeCloseTo(1_200_000 + backdatedMs, -5)
})

test('what does not fit its signer fails; what is not approved, or not ours, waits', async () => {
  await put('wrong', { spec: { usages: ['server auth'] } })
  await put('waiting', { conditions: [] })
  await put('foreign', { spec: { signerName: 'example.com/own' } })
  loop.start(CertificateSigningController)
  await loop.until(() => read('wrong')?.status.conditions?.length === 2)
  expect(read('wrong')?.status.conditions?.[1]).toMatchObject({
    type: 'Failed',
    status: 'True',
    reason: 'SignerValidationFailure',
    message: 'invalid usage for client certificate: server auth',
  })
  await loop.pass(500)
  expect([certificateOf('wrong'), certificateOf('waiting'), certificateOf('foreign')]).toEqual(
    Array.from({ length: 3 }),
  )
})

test('an hour later the request is gone', async () => {
  await put('old')
  loop.start(CertificateCleaningController)
  await loop.pass(2_000)
  expect(read('old')).toBeDefined()
  await loop.clock.advance(3_600_000)
  await loop.until(() => read('old') === undefined)
})
