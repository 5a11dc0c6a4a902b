/** Who gets in, and as whom: a server on TLS, asked with every kind of credential, good and bad. */

import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { Agent, request as tlsRequest, type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, issueCertificate, type KeyPair } from '@dinghy/shared/pki/authority'
import { newSigningKey } from '@dinghy/shared/pki/signing-key'
import { TokenIssuer } from '../auth/token-issuer.ts'
import { type Json, serverFixture } from '../testing/server-fixture.ts'

/** The fixture's clock stands at this time; OpenSSL's does not. */
const now = Date.parse('2025-01-01T00:00:00Z')
const validity = { now, expiresInSeconds: 50 * 365 * 86_400 }
const client = ['digital signature', 'client auth']
const directory = mkdtempSync(join(tmpdir(), 'trust-'))
const socketPath = join(directory, 'admin.sock')
const signingKey = newSigningKey()

let authority: KeyPair
let jane: KeyPair
let fixture: Awaited<ReturnType<typeof serverFixture>>

beforeAll(async () => {
  authority = createAuthority('kubernetes', validity)
  const server = issueCertificate(authority, {
    ...validity,
    subject: { user: 'kube-apiserver', groups: [] },
    usages: ['digital signature', 'server auth'],
    names: ['127.0.0.1'],
  })
  jane = await clientOf(authority, 'jane', ['dev', 'ops'])
  const tls = { ...server, clientAuthority: authority.certificate }
  const frontProxy = { certificate: '', key: '', authority: 'the other authority' }
  fixture = await serverFixture({ tls, adminSocket: socketPath, anonymousAuth: true, signingKey, frontProxy })
})
afterAll(async () => {
  await fixture.close()
  rmSync(directory, { recursive: true })
})

async function clientOf(issuer: KeyPair, user: string, groups: string[], usages = client): Promise<KeyPair> {
  return issueCertificate(issuer, { ...validity, subject: { user, groups }, usages })
}

interface Asked {
  as?: KeyPair
  token?: string
  method?: string
  body?: object
  options?: RequestOptions
}

interface Seen {
  code: number
  json: Json
  isResumed: boolean
}

function ask(path: string, { as, token, method = 'GET', body, options = {} }: Asked = {}): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const { host, port } = fixture.server
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body ? { 'content-type': 'application/json' } : {}),
    }
    const shown = as ? { cert: as.certificate, key: as.key } : {}
    const sent = tlsRequest({ host, port, path, method, headers, ca: authority.certificate, ...shown, ...options })
    sent.on('error', reject)
    sent.on('response', (response) => {
      const isResumed = (response.socket as TLSSocket).isSessionReused()
      void response.toArray().then((chunks: Buffer[]) => {
        const text = Buffer.concat(chunks).toString()
        const json = (text.startsWith('{') ? JSON.parse(text) : {}) as Json
        resolve({ code: response.statusCode ?? 0, json, isResumed })
      }, reject)
    })
    sent.end(body && JSON.stringify(body))
  })
}

async function whoAmI(asked: Asked): Promise<unknown> {
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const { code, json } = await ask(path, { ...asked, method: 'POST', body: {} })
  return code === 201 ? json['status']?.['userInfo'] : code
}

async function asAdmin(method: string, path: string, body?: object): Promise<Json> {
  return await new Promise((resolve, reject) => {
    const headers: Record<string, string> = body ? { 'content-type': 'application/json' } : {}
    const sent = request({ socketPath, path, method, headers })
    sent.on('error', reject)
    sent.on('response', (response) => {
      void response
        .toArray()
        .then((chunks: Buffer[]) => resolve(JSON.parse(Buffer.concat(chunks).toString()) as Json), reject)
    })
    sent.end(body && JSON.stringify(body))
  })
}

describe('client certificates', () => {
  test('name the user and the groups', async () => {
    const sha256 = createHash('sha256').update(new X509Certificate(jane.certificate).raw).digest('hex')
    expect(await whoAmI({ as: jane })).toEqual({
      username: 'jane',
      groups: ['dev', 'ops', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${sha256}`] },
    })
  })

  test.each<[string, () => Promise<KeyPair>]>([
    ['of another authority', async () => await clientOf(createAuthority('kubernetes', validity), 'jane', [])],
    ['for servers', async () => await clientOf(authority, 'jane', [], ['digital signature', 'server auth'])],
    ['of a client, used as an authority', async () => await clientOf(jane, 'root', ['system:masters'])],
    [
      'that has expired',
      async () => {
        const subject = { user: 'jane', groups: [] }
        return issueCertificate(authority, { now, expiresInSeconds: 60, subject, usages: client })
      },
    ],
  ])('%s are refused, even where nobody needs one', async (_what, issue) => {
    const as = await issue()
    expect(await whoAmI({ as })).toBe(401)
    expect((await ask('/readyz', { as })).code).toBe(401)
  })

  test('go on with a resumed session, and one that was refused stays refused', async () => {
    const stranger = await clientOf(createAuthority('kubernetes', validity), 'jane', [])
    for (const [as, code] of [
      [jane, 201],
      [stranger, 401],
    ] as const) {
      const agent = new Agent({ keepAlive: false })
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
      const asked = { as, method: 'POST', body: {}, options: { agent } }
      const [first, second] = [await ask(path, asked), await ask(path, asked)]
      expect([first.isResumed, second.isResumed]).toEqual([false, true])
      expect([first.code, second.code]).toEqual([code, code])
      agent.destroy()
    }
  })

  test('are no good any more when their time is over, on a connection that is open, too', async () => {
    const subject = { user: 'brief', groups: [] }
    const expiresInSeconds = 40 * 365 * 86_400
    const as = issueCertificate(authority, { now, expiresInSeconds, subject, usages: client })
    const options = { agent: new Agent({ keepAlive: true, maxSockets: 1 }) }
    expect(await whoAmI({ as, options })).toMatchObject({ username: 'brief' })
    const before = fixture.clock.now()
    await fixture.clock.advance(expiresInSeconds * 1000 + 1)
    expect(await whoAmI({ as, options })).toBe(401)
    await fixture.clock.advance(before - fixture.clock.now())
    options.agent.destroy()
  })
})

describe('without credentials', () => {
  test.each(['/healthz', '/livez', '/readyz', '/version'])('%s may be seen', async (path) => {
    expect((await ask(path)).code).toBe(200)
  })

  test.each(['/', '/api', '/apis', '/api/v1/nodes', '/metrics', '/readyz/../api', '/debug/why', '/openapi/v3'])(
    '%s may not',
    async (path) => {
      expect(await ask(path)).toMatchObject({ code: 401, json: { reason: 'Unauthorized', message: 'Unauthorized' } })
    },
  )
})

describe('the admin socket', () => {
  test('is the administrator, and for its owner alone', async () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
    const review = await asAdmin('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
    expect(review['status']).toMatchObject({
      userInfo: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
    })
  })
})

describe('tokens of service accounts', () => {
  const accounts = '/api/v1/namespaces/default/serviceaccounts'
  const pods = '/api/v1/namespaces/default/pods'

  async function newToken(name: string, spec: object = {}): Promise<string> {
    return (await asAdmin('POST', `${accounts}/${name}/token`, { spec }))['status']?.['token'] as unknown as string
  }

  beforeAll(async () => {
    await asAdmin('POST', accounts, { metadata: { name: 'default' } })
    await asAdmin('POST', accounts, { metadata: { name: 'robot' } })
    await asAdmin('POST', '/api/v1/nodes', { metadata: { name: 'n1' } })
  })

  test('are the account', async () => {
    expect(await whoAmI({ token: await newToken('robot') })).toMatchObject({
      username: 'system:serviceaccount:default:robot',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    })
  })

  test('that are wrong in any way are refused', async () => {
    const token = await newToken('robot')
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const forged = encode({ ...claims, sub: 'system:serviceaccount:kube-system:default' })
    const elsewhere = new TokenIssuer(newSigningKey(), fixture.clock)
    const subject = { namespace: 'default', name: 'robot', uid: 'x', audiences: ['https://kubernetes.default.svc'] }
    const wrong = [
      `${header}.${forged}.${signature}`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.${signature}`,
      `${header}.${payload}.${signature}AA`,
      `${header}.${payload}.${signature.slice(0, -4)}`,
      `${token}.x`,
      elsewhere.issue({ ...subject, expirationSeconds: 3600 }),
      await newToken('robot', { audiences: ['vault'] }),
      randomBytes(40).toString('hex'),
      'x',
    ]
    expect(await Promise.all(wrong.map((one) => whoAmI({ token: one })))).toEqual(wrong.map(() => 401))
    expect(await Promise.all(wrong.map((one) => ask('/readyz', { token: one })))).toEqual(
      wrong.map((): unknown => expect.objectContaining({ code: 401 })),
    )
  })

  test('end with their time', async () => {
    const token = await newToken('robot', { expirationSeconds: 600 })
    await fixture.clock.advance(599_000)
    expect(await whoAmI({ token })).toMatchObject({ username: 'system:serviceaccount:default:robot' })
    await fixture.clock.advance(2_000)
    expect(await whoAmI({ token })).toBe(401)
  })

  test('end with the pod that they are bound to, and say where it runs', async () => {
    const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] }
    const pod = await asAdmin('POST', pods, { metadata: { name: 'web' }, spec })
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'web' }
    const token = await newToken('default', { boundObjectRef })
    expect(await whoAmI({ token })).toMatchObject({
      extra: {
        'authentication.kubernetes.io/pod-name': ['web'],
        'authentication.kubernetes.io/pod-uid': [pod['metadata']?.['uid']],
        'authentication.kubernetes.io/node-name': ['n1'],
      },
    })
    const others = await asAdmin('POST', `${accounts}/robot/token`, { spec: { boundObjectRef } })
    expect(others['message']).toBe(
      'cannot bind token for serviceaccount "robot" to pod running with serviceaccount "default"',
    )
    await asAdmin('DELETE', `${pods}/web?gracePeriodSeconds=0`)
    await asAdmin('POST', pods, { metadata: { name: 'web' }, spec })
    expect(await whoAmI({ token })).toBe(401)
  })

  test('end with the node that they are bound to', async () => {
    const token = await newToken('robot', { boundObjectRef: { kind: 'Node', apiVersion: 'v1', name: 'n1' } })
    expect(await whoAmI({ token })).toMatchObject({ extra: { 'authentication.kubernetes.io/node-name': ['n1'] } })
    await asAdmin('DELETE', '/api/v1/nodes/n1')
    expect(await whoAmI({ token })).toBe(401)
  })

  test('a review tells of each audience', async () => {
    const review = async (token: string, audiences?: string[]) => {
      const spec = { token, ...(audiences ? { audiences } : {}) }
      return (await asAdmin('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec }))['status']
    }
    const token = await newToken('robot', { audiences: ['vault', 'mail'] })
    expect(await review(token, ['vault', 'x'])).toMatchObject({ authenticated: true, audiences: ['vault'] })
    expect(await review(token)).toMatchObject({
      error: expect.stringContaining('["vault" "mail"] is invalid') as string,
    })
    expect(await review('x')).toEqual({ user: {}, error: 'invalid bearer token' })
  })
})

test('extension servers can read whom to believe', async () => {
  const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication'
  expect((await asAdmin('GET', path))['data']).toMatchObject({
    'client-ca-file': authority.certificate,
    'requestheader-client-ca-file': 'the other authority',
    'requestheader-allowed-names': '["front-proxy-client"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  })
})

describe('bootstrap tokens', () => {
  const valid = {
    'token-id': 'abcdef',
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-authentication': 'true',
    'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
  }

  test.each<[string, Record<string, string>, string | undefined, boolean]>([
    ['are a bootstrapper', {}, undefined, true],
    ['may end', { expiration: '2036-01-01T00:00:00Z' }, undefined, true],
    ['have ended', { expiration: '2020-01-01T00:00:00Z' }, undefined, false],
    ['end at a time that cannot be read', { expiration: 'soon' }, undefined, false],
    ['have another secret', { 'token-secret': '0123456789abcdeg' }, undefined, false],
    ['have another id', { 'token-id': 'abcdeg' }, undefined, false],
    ['are not for this', { 'usage-bootstrap-authentication': 'false' }, undefined, false],
    ['give a group that they may not', { 'auth-extra-groups': 'system:masters' }, undefined, false],
    ['are Secrets of another type', {}, 'Opaque', false],
  ])('%s', async (_what, data, type = 'bootstrap.kubernetes.io/token', isGood) => {
    const metadata = { name: 'bootstrap-token-abcdef' }
    const secrets = '/api/v1/namespaces/kube-system/secrets'
    await asAdmin('POST', secrets, { metadata, type, stringData: { ...valid, ...data } })
    const seen = await whoAmI({ token: 'abcdef.0123456789abcdef' })
    await asAdmin('DELETE', `${secrets}/${metadata.name}`)
    expect(seen).toEqual(
      isGood
        ? {
            username: 'system:bootstrap:abcdef',
            groups: ['system:bootstrappers', 'system:bootstrappers:kubeadm:default-node-token', 'system:authenticated'],
          }
        : 401,
    )
  })
})
