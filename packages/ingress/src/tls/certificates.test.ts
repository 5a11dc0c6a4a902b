import type { Secret } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import type { CertificateUse } from '../routing/ingress-routes.ts'
import { certificateFor } from '../testing/ingress-fixture.ts'
import { chooseCertificate, readSecret, SecretCertificates } from './certificates.ts'

function use(host: string, secret: string, more: Partial<CertificateUse> = {}): CertificateUse {
  return { port: 443, host, wildcardLabels: 'one', secret, createdAt: '2025-01-01T00:00:00Z', ...more }
}

function secret(data: Record<string, string>, resourceVersion = '1'): Secret {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  return { metadata: { name: 'tls', resourceVersion }, data: Object.fromEntries(encoded) } as unknown as Secret
}

test('the most specific name wins, then the older object, among those that can be used', () => {
  const uses = [
    use('', 'any'),
    use('*.example', 'wild'),
    use('a.example', 'young', { createdAt: '2026-01-01T00:00:00Z' }),
    use('a.example', 'old'),
    use('a.example', 'elsewhere', { port: 8443 }),
  ]
  const shown = (name: string, broken = '') => chooseCertificate(uses, 443, name, (key) => key !== broken)
  expect(shown('a.example')).toBe('old')
  expect(shown('a.example', 'old')).toBe('young')
  expect(shown('b.example')).toBe('wild')
  expect(shown('c.b.example')).toBe('any')
  expect(shown('')).toBe('any')
  expect(chooseCertificate(uses, 8443, 'b.example', () => true)).toBeUndefined()
})

test('what is wrong with a Secret is said', () => {
  const pair = certificateFor('a.example')
  const { key: anotherKey } = certificateFor('b.example')
  const problem = (data: Record<string, string>) => readSecret('shop/tls', secret(data))
  expect(readSecret('shop/tls', undefined)).toEqual({ problem: 'local SSL certificate shop/tls was not found' })
  expect(problem({ 'tls.crt': pair.certificate })).toEqual({ problem: 'Secret shop/tls lacks tls.crt or tls.key' })
  expect(problem({ 'tls.crt': pair.certificate, 'tls.key': anotherKey })).toEqual({
    problem: 'Secret shop/tls: the private key is not that of the certificate',
  })
  expect(problem({ 'tls.crt': 'x', 'tls.key': 'y' })).toMatchObject({
    problem: expect.stringContaining('in PEM') as string,
  })
  expect(problem({ 'tls.crt': pair.certificate, 'tls.key': pair.key })).toEqual(pair)
})

test('a Secret is read again when it has changed', () => {
  const [first, second] = [certificateFor('a.example'), certificateFor('a.example')]
  let present = secret({ 'tls.crt': first.certificate, 'tls.key': first.key })
  const certificates = new SecretCertificates(() => present)
  const context = certificates.context('shop/tls')
  expect(certificates.context('shop/tls')).toBe(context)
  present = secret({ 'tls.crt': second.certificate, 'tls.key': second.key }, '2')
  expect(certificates.context('shop/tls')).not.toBe(context)
  expect(certificates.pair('shop/tls')).toEqual(second)
  certificates.keep(new Set())
})
