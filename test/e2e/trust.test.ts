/**
 * Who gets in, and as whom: a whole cluster, asked by everybody who should be let in and by everybody who should not.
 */

import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { get as plainGet, type IncomingMessage } from 'node:http'
import { get, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { parse } from 'yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, issueCertificate } from '@dinghy/shared/pki/authority'
import { Cluster, isInstalled, until } from './harness/cluster.ts'

const cluster = new Cluster(1)
const validity = { now: Date.now(), expiresInSeconds: 3600 }

beforeAll(() => {
  // Who asks for a watch stands in the audit log at once; in the API server's own when the watch has ended.
  const policy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'Metadata' }] }
  const path = (name: string) => join(cluster.stateDir, name)
  writeFileSync(path('audit-policy.json'), JSON.stringify(policy))
  const settings = { 'audit-policy-file': path('audit-policy.json'), 'audit-log-path': path('audit.log') }
  cluster.up(...Object.entries(settings).flatMap(([flag, value]) => ['--set', `api-server.${flag}=${value}`]))
})
afterAll(() => cluster.destroy())

function file(name: string): string {
  return readFileSync(join(cluster.stateDir, name), 'utf8')
}

async function answerTo(request: (answer: (response: IncomingMessage) => void) => NodeJS.EventEmitter) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => request(resolve).once('error', reject))
  const chunks = (await response.toArray()) as Buffer[]
  return { code: response.statusCode, text: Buffer.concat(chunks).toString() }
}

async function ask(url: string, options: RequestOptions = {}) {
  return await answerTo((answer) => get(url, { ca: file('pki/ca.crt'), ...options }, answer))
}

function serverUrl(): string {
  const { clusters } = parse(file('kubeconfig')) as { clusters: [{ cluster: { server: string } }] }
  return clusters[0].cluster.server
}

async function kubeletUrl(): Promise<string> {
  const { items } = await cluster.core.listNode()
  const { addresses = [], daemonEndpoints } = items[0]?.status ?? {}
  const address = addresses.find(({ type }) => type === 'InternalIP')?.address
  return `https://${address}:${daemonEndpoints?.kubeletEndpoint?.Port}`
}

/** What the user of a kubeconfig shows. */
function identityOf(kubeconfig: string): RequestOptions {
  const { users } = parse(kubeconfig) as { users: [{ user: Record<string, string> }] }
  const decode = (field: string) => Buffer.from(users[0].user[field] ?? '', 'base64').toString()
  return { cert: decode('client-certificate-data'), key: decode('client-key-data') }
}

/** Somebody with a certificate that names an administrator, of an authority that nobody here knows. */
async function impostor(): Promise<RequestOptions> {
  const authority = createAuthority('kubernetes', validity)
  const subject = { user: 'kubernetes-admin', groups: ['system:masters'] }
  const { certificate, key } = issueCertificate(authority, { ...validity, subject, usages: ['client auth'] })
  return { cert: certificate, key }
}

interface Review {
  status: { userInfo: { username: string; groups: string[] } }
}

async function whoAmI(token: string): Promise<Review['status']['userInfo'] | number> {
  const response = await cluster.fetch('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  })
  return response.ok ? ((await response.json()) as Review).status.userInfo : response.status
}

test('strangers see that the server is well, and nothing else', async () => {
  const server = serverUrl()
  const codes = await Promise.all(['/readyz', '/version', '/api', '/metrics'].map((path) => ask(server + path)))
  expect(codes.map(({ code }) => code)).toEqual([200, 200, 401, 401])
  expect(await ask(`${server}/api/v1/nodes`, await impostor())).toMatchObject({
    code: 401,
    text: expect.stringContaining('"reason":"Unauthorized"') as string,
  })
  expect(await whoAmI('eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06YWRtaW4ifQ.')).toBe(401)
  await expect(ask(`${server}/readyz`, { ca: createAuthority('kubernetes', validity).certificate })).rejects.toThrow(
    /self-signed certificate/,
  )
  await expect(answerTo((answer) => plainGet(server.replace('https', 'http'), answer))).rejects.toThrow()
})

test('whoever may open the admin socket is the administrator', async () => {
  const socketPath = join(cluster.stateDir, 'kubernetes-admin.sock')
  expect(statSync(socketPath).mode & 0o777).toBe(0o600)
  const nodes = await answerTo((answer) => plainGet({ socketPath, path: '/api/v1/nodes' }, answer))
  expect(nodes).toMatchObject({ code: 200, text: expect.stringContaining('"NodeList"') as string })
})

test('a kubelet lets in the API server, and nobody whom it does not know', async () => {
  const kubelet = await kubeletUrl()
  expect((await ask(`${kubelet}/pods`)).code).toBe(401)
  expect((await ask(`${kubelet}/pods`, await impostor())).code).toBe(401)
  expect((await ask(`${kubelet}/pods`, { headers: { authorization: 'Bearer x' } })).code).toBe(401)
  await expect(answerTo((answer) => plainGet(`${kubelet.replace('https', 'http')}/pods`, answer))).rejects.toThrow()
  const own = { cert: file('pki/apiserver-kubelet-client.crt'), key: file('pki/apiserver-kubelet-client.key') }
  expect((await ask(`${kubelet}/pods`, own)).code).toBe(200)
  // The same authority has signed this one, but no role lets it in.
  const stranger = { cert: file('pki/apiserver.crt'), key: file('pki/apiserver.key') }
  expect((await ask(`${kubelet}/pods`, stranger)).code).toBe(401)
  const person = identityOf(cluster.dinghy('kubeconfig', '--user', 'jane', '--group', 'dev').stdout)
  expect(await ask(`${kubelet}/pods`, person)).toEqual({
    code: 403,
    text: 'Forbidden (user=jane, verb=get, resource=nodes, subresource(s)=[pods])',
  })
  expect((await cluster.fetch('/api/v1/nodes/node-1/proxy/healthz')).status).toBe(200)
})

test('each component is somebody of its own', async () => {
  const users = ['system:kube-scheduler', 'system:kube-controller-manager', 'system:kube-proxy', 'system:node:node-1']
  const seen = () => {
    // The last line may be on its way.
    const lines = file('audit.log').split('\n').slice(0, -1)
    return new Set(lines.map((line) => (JSON.parse(line) as { user: { username: string } }).user.username))
  }
  await until('all of them to have asked', () => users.every((user) => seen().has(user)))
})

test('a program in a pod trusts the API server by ca.crt, and its token ends with the pod', async () => {
  const program = `
    const { readFileSync } = require('node:fs')
    const account = '/var/run/secrets/kubernetes.io/serviceaccount/'
    const read = (name) => readFileSync(account + name)
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
    const headers = { authorization: 'Bearer ' + read('token'), 'content-type': 'application/json' }
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    const sent = require('node:https').request({ host, port, path, method: 'POST', headers, ca: read('ca.crt') }, (answer) => {
      answer.pipe(process.stdout)
      setInterval(() => undefined, 1000)
    })
    sent.end('{}')`
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'caller' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image: 'node', command: ['node', '-e', program] }],
    },
  }
  expect(cluster.kubectl(['apply', '-f', '-'], JSON.stringify(pod)).code).toBe(0)
  const said = await until('its answer', () => cluster.kubectl(['logs', 'caller']).stdout)
  expect(said).toContain('system:serviceaccount:default:default')
  const secrets = '$(find / -path "*serviceaccount/token" 2>/dev/null | head -1)'
  const token = cluster.kubectl(['exec', 'caller', '--', 'sh', '-c', `cat ${secrets}`]).stdout
  expect(await whoAmI(token)).toMatchObject({ username: 'system:serviceaccount:default:default' })
  cluster.kubectl(['delete', 'pod', 'caller', '--now'])
  await until('the token to be refused', async () => (await whoAmI(token)) === 401)
})

test("every namespace has the cluster's authority", async () => {
  const name = 'kube-root-ca.crt'
  const { data } = await until('it', () => cluster.core.readNamespacedConfigMap({ name, namespace: 'kube-system' }))
  expect(data).toEqual({ 'ca.crt': file('pki/ca.crt') })
})

describe.runIf(isInstalled('kubectl'))('through kubectl', () => {
  const whoami = (kubeconfig: string) => cluster.kubectl(['--kubeconfig', kubeconfig, 'auth', 'whoami', '-o', 'json'])

  test('the administrator is who kubeadm calls so', () => {
    const { stdout } = whoami(join(cluster.stateDir, 'kubeconfig'))
    expect(JSON.parse(stdout)).toMatchObject({
      status: {
        userInfo: { username: 'kubernetes-admin', groups: ['kubeadm:cluster-admins', 'system:authenticated'] },
      },
    })
  })

  test('a person with a kubeconfig of her own is she, and may do what roles say', () => {
    const path = join(cluster.stateDir, 'jane.conf')
    writeFileSync(path, cluster.dinghy('kubeconfig', '--user', 'jane', '--group', 'dev').stdout)
    expect(JSON.parse(whoami(path).stdout)).toMatchObject({
      status: { userInfo: { username: 'jane', groups: ['dev', 'system:authenticated'] } },
    })
    const getPods = () => cluster.kubectl(['--kubeconfig', path, 'get', 'pods'])
    expect(getPods().stderr).toContain(
      'Error from server (Forbidden): pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
    )
    cluster.kubectl(['create', 'rolebinding', 'dev-view', '--clusterrole=view', '--group=dev'])
    expect(getPods().code).toBe(0)
    expect(cluster.kubectl(['--kubeconfig', path, 'create', 'configmap', 'x']).stderr).toContain('cannot create')
  })

  test('streams go through both hops', () => {
    cluster.kubectl(['run', 'echo', '--image=busybox', '--restart=Never', '--', 'sh', '-c', 'echo hello; sleep 600'])
    expect(cluster.kubectl(['wait', 'pod/echo', '--for=condition=Ready', '--timeout=60s']).code).toBe(0)
    for (const websockets of ['true', 'false']) {
      process.env['KUBECTL_REMOTE_COMMAND_WEBSOCKETS'] = websockets
      expect(cluster.kubectl(['exec', '-i', 'echo', '--', 'cat'], 'through and back').stdout).toBe('through and back')
    }
    delete process.env['KUBECTL_REMOTE_COMMAND_WEBSOCKETS']
    expect(cluster.kubectl(['logs', 'echo']).stdout).toBe('hello\n')
  })
})

test('a second start changes no certificate', () => {
  const before = new X509Certificate(file('pki/apiserver.crt')).fingerprint256
  const admin = file('identities/admin.conf')
  cluster.dinghy('down')
  cluster.up()
  expect(new X509Certificate(file('pki/apiserver.crt')).fingerprint256).toBe(before)
  expect(file('identities/admin.conf')).toBe(admin)
})
