import { createPublicKey, createSign, createVerify, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { beforeAll, expect, test } from 'vitest'
import { createAuthority, issueCertificate, type KeyPair, readRequest, signRequest } from './authority.ts'
import { createRequest } from './certificate-request.ts'
import { subjectOf } from './subject.ts'

const now = Date.now()
const hour = { now, expiresInSeconds: 3600 }
const client = ['digital signature', 'client auth']
const server = ['digital signature', 'key encipherment', 'server auth']
let authority: KeyPair
let stranger: KeyPair

beforeAll(async () => {
  authority = createAuthority('kubernetes', { now, expiresInSeconds: 7200 })
  stranger = createAuthority('kubernetes', { now, expiresInSeconds: 7200 })
})

test('an authority signs itself and may sign others', () => {
  const certificate = new X509Certificate(authority.certificate)
  expect(certificate.ca).toBe(true)
  expect(certificate.subject).toBe('CN=kubernetes')
  expect(certificate.verify(certificate.publicKey)).toBe(true)
})

test('issued certificates are what they were asked to be', async () => {
  const names = ['localhost', '127.0.0.1', '::1', 'fd00::12:a']
  const issued = issueCertificate(authority, {
    ...hour,
    subject: { user: 'kube-apiserver', groups: [] },
    usages: server,
    names,
  })
  const certificate = new X509Certificate(issued.certificate)
  const issuer = new X509Certificate(authority.certificate)
  expect(certificate.ca).toBe(false)
  expect(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)).toBe(true)
  expect(certificate.verify(new X509Certificate(stranger.certificate).publicKey)).toBe(false)
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  expect(certificate.checkHost('localhost')).toBe('localhost')
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
  expect(certificate.checkIP('fd00:0:0:0::12:a')).toBeDefined()
  expect(certificate.checkIP('127.0.0.2')).toBeUndefined()
  expect(Date.parse(certificate.validFrom)).toBeLessThanOrEqual(now - 299_000)
  expect(Date.parse(certificate.validTo)).toBe(Math.floor((now + 3_600_000) / 1000) * 1000)
})

test('no certificate outlives its authority, and an expired one signs nothing', async () => {
  const subject = { user: 'a', groups: [] }
  const { certificate } = issueCertificate(authority, { now, expiresInSeconds: 1e6, subject, usages: client })
  expect(new X509Certificate(certificate).validTo).toBe(new X509Certificate(authority.certificate).validTo)
  const late = { now: now + 7_300_000, expiresInSeconds: 60, subject, usages: client }
  expect(() => issueCertificate(authority, late)).toThrow('expired')
})

test('a server and its client trust each other by the authority, and know the subject', async () => {
  const subject = { user: 'system:node:n1', groups: ['system:nodes', 'a, b=c'] }
  const [mine, theirs, forged] = [
    issueCertificate(authority, { ...hour, subject: { user: 's', groups: [] }, usages: server, names: ['127.0.0.1'] }),
    issueCertificate(authority, { ...hour, subject, usages: client }),
    issueCertificate(stranger, { ...hour, subject, usages: client }),
  ] as const
  const asked: unknown[] = []
  const listening = createServer(
    {
      cert: mine.certificate,
      key: mine.key,
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (socket: TLSSocket) => {
      asked.push([socket.authorized, subjectOf(socket.getPeerCertificate().subject)])
      socket.end()
    },
  ).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  for (const { certificate, key } of [theirs, forged]) {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, cert: certificate, key })
    socket.resume()
    await once(socket, 'close')
  }
  listening.close()
  expect(asked).toEqual([
    [true, subject],
    [false, subject],
  ])
})

test('a request is signed with its own subject and names, and for the usages that the signer says', async () => {
  const { request } = await createRequest({ user: 'jane', groups: ['dev', 'ops'] }, ['web.example', '10.0.0.1'])
  expect(await readRequest(request)).toEqual({
    subject: { user: 'jane', groups: ['dev', 'ops'] },
    dnsNames: ['web.example'],
    ipAddresses: ['10.0.0.1'],
    emailAddresses: [],
    uris: [],
  })
  const certificate = new X509Certificate(await signRequest(authority, request, { ...hour, usages: client }))
  expect(certificate.subject.split('\n')).toEqual(['O=dev', 'O=ops', 'CN=jane'])
  expect(certificate.subjectAltName).toBe('DNS:web.example, IP Address:10.0.0.1')
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
})

test('what is no request, or not signed by its own key, is refused', async () => {
  const { request } = await createRequest({ user: 'jane', groups: [] })
  const body = Buffer.from(request.split('\n').slice(1, -2).join(''), 'base64')
  const forged = Buffer.from(body)
  forged[forged.indexOf('jane')] = 'J'.charCodeAt(0)
  const pem = (bytes: Buffer, tag = 'CERTIFICATE REQUEST') =>
    `-----BEGIN ${tag}-----\n${bytes.toString('base64')}\n-----END ${tag}-----\n`
  await expect(readRequest(pem(forged))).rejects.toThrow('signature')
  await expect(readRequest(pem(body, 'CERTIFICATE'))).rejects.toThrow('CERTIFICATE REQUEST')
  await expect(readRequest(pem(body.subarray(0, 40)))).rejects.toThrow(TypeError)
  await expect(readRequest('hello')).rejects.toThrow(TypeError)
  await expect(signRequest(authority, request, { ...hour, usages: ['flying'] })).rejects.toThrow('["flying"]')
})

test('the key that comes with a certificate is its key', async () => {
  const subject = { user: 'a', groups: [] }
  const { certificate, key } = issueCertificate(authority, { ...hour, subject, usages: client })
  const signature = createSign('sha256').update('text').sign(key)
  expect(createPublicKey(certificate).asymmetricKeyType).toBe('ec')
  expect(createVerify('sha256').update('text').verify(certificate, signature)).toBe(true)
})
