import { beforeAll, expect, test } from 'vitest'
import { createAuthority, issueCertificate, type KeyPair } from './authority.ts'
import { type Expected, whyRenew } from './renewal.ts'

const now = Date.now()
const year = { now, expiresInSeconds: 365 * 86_400 }
const subject = { user: 'kube-apiserver', groups: ['a', 'b'] }
let authority: KeyPair
let other: KeyPair
let pair: KeyPair
let expected: Expected

beforeAll(async () => {
  authority = createAuthority('kubernetes', { now, expiresInSeconds: 3650 * 86_400 })
  other = createAuthority('kubernetes', { now, expiresInSeconds: 3650 * 86_400 })
  const names = ['localhost', '127.0.0.1']
  pair = issueCertificate(authority, { ...year, subject, usages: ['server auth'], names })
  expected = { authority: authority.certificate, subject, names, now }
})

test('a certificate that fits serves', () => expect(whyRenew(pair, expected)).toBeUndefined())

test.each<[string, () => [KeyPair, Expected]]>([
  ['its authority is another one', () => [pair, { ...expected, authority: other.certificate }]],
  ['its key is another one', () => [{ ...pair, key: other.key }, expected]],
  ['it names somebody else', () => [pair, { ...expected, subject: { user: 'x', groups: ['a', 'b'] } }]],
  ['it names somebody else', () => [pair, { ...expected, subject: { user: 'kube-apiserver', groups: ['a'] } }]],
  ['it does not hold for 127.0.0.2', () => [pair, { ...expected, names: ['localhost', '127.0.0.2'] }]],
  ['it expires at', () => [pair, { ...expected, now: now + 340 * 86_400_000 }]],
  ['it cannot be read', () => [{ ...pair, certificate: 'x' }, expected]],
])('%s', (why, of) => {
  expect(whyRenew(...of())).toContain(why)
})
