import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { createAuthority, issueCertificate, type KeyPair } from '../pki/authority.ts'
import { type ClientTls, httpRequest, readText } from './client.ts'
import { httpUpgrade } from './client-upgrade.ts'

const validity = { now: Date.now(), expiresInSeconds: 3600 }
let authority: KeyPair
let identity: KeyPair
let client: KeyPair
let server: Server | undefined

beforeAll(async () => {
  authority = createAuthority('kubernetes', validity)
  const subject = { user: 'somebody', groups: [] }
  identity = issueCertificate(authority, { ...validity, subject, usages: ['server auth'], names: ['127.0.0.1'] })
  client = issueCertificate(authority, { ...validity, subject, usages: ['client auth'] })
})
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** Answers whether the connection resumed a session, and whether its client showed a certificate. */
async function listen(options: object = {}, port = 0): Promise<number> {
  server = createServer(
    {
      cert: identity.certificate,
      key: identity.key,
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized: false,
      ...options,
    },
    ({ socket }, response) => {
      const { authorized } = socket as TLSSocket
      response.end(`${authorized ? 'known' : 'unknown'} ${(socket as TLSSocket).isSessionReused()}`)
    },
  )
  server.on('upgrade', ({ socket }) => socket.write('HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello'))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function clientTls(): ClientTls {
  return { ca: authority.certificate, cert: client.certificate, key: client.key }
}

async function ask(port: number, tls: ClientTls): Promise<string> {
  return await readText(await httpRequest({ method: 'GET', url: `https://127.0.0.1:${port}/`, tls, keepAlive: false }))
}

test('many connections at once make one handshake, and all show the certificate', async () => {
  const port = await listen()
  const tls = clientTls()
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask(port, tls)))
  expect(answers.sort()).toEqual(['known false', ...Array.from({ length: 7 }, () => 'known true')])
  const upgraded = await httpUpgrade({ method: 'GET', url: `https://127.0.0.1:${port}/`, tls, protocol: 'x' })
  if (!('socket' in upgraded)) throw new Error('not upgraded')
  expect(String((await once(upgraded.socket, 'data'))[0])).toBe('hello')
  upgraded.socket.destroy()
})

test('an identity does not resume the session of another', async () => {
  const port = await listen()
  expect([await ask(port, clientTls()), await ask(port, { ca: authority.certificate })]).toEqual([
    'known false',
    'unknown false',
  ])
})

test('a server that gives no sessions is spoken to all the same', async () => {
  const port = await listen({ secureOptions: (await import('node:constants')).SSL_OP_NO_TICKET, maxVersion: 'TLSv1.2' })
  const tls = clientTls()
  const answers = await Promise.all([ask(port, tls), ask(port, tls), ask(port, tls)])
  expect(answers.every((answer) => answer.startsWith('known'))).toBe(true)
})

test('after a restart of the server the handshake is made again', async () => {
  const port = await listen()
  const tls = clientTls()
  await ask(port, tls)
  server?.close()
  await listen({}, port)
  expect([await ask(port, tls), await ask(port, tls)]).toEqual(['known false', 'known true'])
})

test('a server of another authority is refused, and whoever waits is told, too', async () => {
  const port = await listen()
  const other = createAuthority('kubernetes', validity)
  const tls = { ca: other.certificate }
  const answers = await Promise.allSettled([ask(port, tls), ask(port, tls)])
  expect(
    answers.map((answer) => (answer.status === 'rejected' ? (answer.reason as { code: string }).code : '')),
  ).toEqual(['SELF_SIGNED_CERT_IN_CHAIN', 'SELF_SIGNED_CERT_IN_CHAIN'])
})
