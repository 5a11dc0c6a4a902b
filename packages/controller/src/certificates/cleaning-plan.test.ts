import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import { createAuthority } from '@dinghy/shared/pki/authority'
import { at, epoch, metaOf } from '../testing/objects.ts'
import { goesAt } from './cleaning-plan.ts'

const hour = 3600

function request(status: object): CertificateSigningRequest {
  return { metadata: metaOf('r'), status } as unknown as CertificateSigningRequest
}

/** In seconds after the request was made. */
function goesAfter(status: object): number {
  return (goesAt(request(status)) - epoch) / 1000
}

test.each<[status: object, seconds: number]>([
  [{}, 24 * hour],
  [{ conditions: [{ type: 'Approved', status: 'True', lastUpdateTime: at(60) }] }, hour + 60],
  [{ conditions: [{ type: 'Denied', status: 'True', lastTransitionTime: at(60) }] }, hour + 60],
  [{ conditions: [{ type: 'Failed', status: 'True' }] }, hour],
  [{ conditions: [{ type: 'Other', status: 'True', lastUpdateTime: at(0) }] }, 24 * hour],
  [{ certificate: 'bm90aGluZw==' }, 24 * hour],
])('%j goes after %i s', (status, seconds) => {
  expect(goesAfter(status)).toBe(seconds)
})

test('a certificate that has run out is worth nothing', () => {
  const { certificate } = createAuthority('x', { now: epoch, expiresInSeconds: 600 })
  const ends = Date.parse(new X509Certificate(certificate).validTo)
  expect(goesAt(request({ certificate: Buffer.from(certificate).toString('base64') }))).toBe(ends)
  expect(ends).toBe(epoch + 600_000)
})
