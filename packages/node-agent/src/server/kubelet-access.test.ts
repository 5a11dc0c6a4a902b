/** A kubelet server on TLS, before an API server that answers its reviews. */

import { request, type RequestOptions } from 'node:https'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { readBody } from '@dinghy/shared/http/body'
import { HttpServer } from '@dinghy/shared/http/server'
import { createAuthority, issueCertificate, type KeyPair } from '@dinghy/shared/pki/authority'
import { attributesOf, KubeletAccess } from './kubelet-access.ts'

const validity = { now: Date.now(), expiresInSeconds: 3600 }
const clock = new FakeClock(new Date(validity.now).toISOString())

interface Review {
  kind: string
  spec: { token?: string; user?: string; groups?: string[]; resourceAttributes?: Record<string, string> }
}

/** What the API server was asked, newest last. */
let asked: Review[]
let api: HttpServer
let kubelet: HttpServer
let authority: KeyPair
let port: number

beforeEach(async () => {
  asked = []
  api = new HttpServer()
  api.app.post('/apis/*', async ({ raw }) => {
    const review = JSON.parse(String(await readBody(raw, 1 << 20))) as Review
    asked.push(review)
    const { token, user, groups = [] } = review.spec
    const allowed = user === 'robot' || groups.includes('kubeadm:cluster-admins')
    const known = token === 'good' ? { authenticated: true, user: { username: 'robot', groups: ['bots'] } } : {}
    return { ...review, status: review.kind === 'TokenReview' ? known : { allowed } }
  })
  const { url } = await api.listen({ host: '127.0.0.1', port: 0 })
  const access = new KubeletAccess({ client: new ApiClient({ server: url, userAgent: 'kubelet' }), clock, node: 'n1' })
  authority = createAuthority('kubernetes', validity)
  const subject = { user: 'system:node:n1', groups: ['system:nodes'] }
  const usages = ['server auth']
  const own = issueCertificate(authority, { ...validity, subject, usages, names: ['127.0.0.1'] })
  kubelet = new HttpServer()
  kubelet.app.addHook('onRequest', async ({ raw }) => {
    const { authorization } = raw.headers
    await access.check({ method: raw.method ?? '', path: raw.url ?? '', authorization, socket: raw.socket })
  })
  kubelet.app.get('/*', () => 'inside')
  const tls = { cert: own.certificate, key: own.key, ca: authority.certificate }
  const listening = { host: '127.0.0.1', port: 0, tls: { ...tls, requestCert: true, rejectUnauthorized: false } }
  ;({ port } = await kubelet.listen(listening))
})
afterEach(async () => {
  await Promise.all([kubelet.close(0), api.close(0)])
})

async function clientOf(issuer: KeyPair, user: string, groups: string[]): Promise<RequestOptions> {
  const pair = issueCertificate(issuer, { ...validity, subject: { user, groups }, usages: ['client auth'] })
  return { cert: pair.certificate, key: pair.key }
}

function ask(path: string, options: RequestOptions = {}): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, ca: authority.certificate, ...options }, (response) => {
      void response
        .toArray()
        .then((chunks: Buffer[]) => resolve([response.statusCode ?? 0, Buffer.concat(chunks).toString()]), reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('the API server gets in by its certificate, and is asked about once', async () => {
  const server = await clientOf(authority, 'kube-apiserver-kubelet-client', ['kubeadm:cluster-admins'])
  expect(await ask('/containerLogs/default/web/c', server)).toEqual([200, 'inside'])
  expect(await ask('/exec/default/web/c', server)).toEqual([200, 'inside'])
  expect(asked.map(({ spec }) => spec)).toEqual([
    {
      user: 'kube-apiserver-kubelet-client',
      groups: ['kubeadm:cluster-admins', 'system:authenticated'],
      resourceAttributes: { version: 'v1', resource: 'nodes', name: 'n1', verb: 'get', subresource: 'proxy' },
    },
  ])
})

test('strangers are turned away', async () => {
  const other = createAuthority('kubernetes', validity)
  expect(await ask('/pods')).toEqual([401, 'Unauthorized'])
  expect((await ask('/pods', await clientOf(other, 'kube-apiserver', ['kubeadm:cluster-admins'])))[0]).toBe(401)
  expect((await ask('/pods', { headers: { authorization: 'Bearer bad' } }))[0]).toBe(401)
  expect(asked.map(({ kind }) => kind)).toEqual(['TokenReview'])
})

test('whoever is known, but may not, is told so; the answer is asked for again after half a minute', async () => {
  const jane = await clientOf(authority, 'jane', ['dev'])
  const refused = [403, 'Forbidden (user=jane, verb=get, resource=nodes, subresource(s)=[log])']
  expect([await ask('/logs/', jane), await ask('/logs/', jane)]).toEqual([refused, refused])
  expect(asked).toHaveLength(1)
  await clock.advance(31_000)
  await ask('/logs/', jane)
  expect(asked).toHaveLength(2)
})

test('a token is reviewed, and both answers are remembered for a while', async () => {
  const robot = { headers: { authorization: 'Bearer good' } }
  expect([await ask('/stats/summary', robot), await ask('/stats/summary', robot)]).toEqual([
    [200, 'inside'],
    [200, 'inside'],
  ])
  expect(asked.map(({ kind }) => kind)).toEqual(['TokenReview', 'SubjectAccessReview'])
  await clock.advance(121_000)
  await ask('/stats/summary', robot)
  expect(asked.map(({ kind }) => kind)).toEqual(['TokenReview', 'SubjectAccessReview', 'TokenReview'])
})

test.each([
  ['GET', '/stats/summary', 'get', 'stats'],
  ['GET', '/metrics/cadvisor', 'get', 'metrics'],
  ['GET', '/logs', 'get', 'log'],
  ['GET', '/logs/x.log', 'get', 'log'],
  ['GET', '/pods', 'get', 'pods'],
  ['GET', '/healthz', 'get', 'healthz'],
  ['POST', '/exec/a/b/c', 'create', 'proxy'],
  ['GET', '/statsx', 'get', 'proxy'],
  ['GET', '/logsomething', 'get', 'proxy'],
  ['DELETE', '/', 'delete', 'proxy'],
])('%s %s is %s of nodes/%s', (method, path, verb, subresource) => {
  expect(attributesOf({ method, path })).toEqual({ verb, subresource })
})
