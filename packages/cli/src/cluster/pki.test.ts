import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { newSigningKey } from '@dinghy/shared/pki/signing-key'
import { subjectOfText } from '@dinghy/shared/pki/subject'
import { someConfig, temporaryState } from '../testing/temporary-state.ts'
import { ensureControlPlanePki, ensureIdentities, identitiesOf, kubeconfigFor } from './pki.ts'
import type { ClusterConfig, StateDir } from './state-dir.ts'

function ensurePki(config: ClusterConfig, state: StateDir, server: string, now: number): void {
  ensureControlPlanePki(config, state, now)
  ensureIdentities(config, state, server, now)
}

const url = 'https://127.0.0.1:6474'
const now = Date.parse('2026-01-01T00:00:00Z')
const dayMs = 86_400_000

/** Every file of a cluster's with what it holds. */
function filesOf(state: StateDir): Map<string, string> {
  const files = readdirSync(state.root, { recursive: true, encoding: 'utf8' })
  const kept = files.filter((file) => /(crt|key|pub|conf)$/.test(file))
  return new Map(kept.sort().map((file) => [file, readFileSync(join(state.root, file), 'utf8')]))
}

function changed(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...after].filter(([file, text]) => before.get(file) !== text).map(([file]) => file)
}

function certificateOf(state: StateDir, file: string): X509Certificate {
  return new X509Certificate(readFileSync(join(state.root, file), 'utf8'))
}

test('a first start makes all of it, and the next one nothing', async () => {
  const state = temporaryState()
  ensurePki(someConfig, state, url, now)
  const files = filesOf(state)
  expect([...files.keys()]).toEqual([
    'identities/admin.conf',
    'identities/controller-manager.conf',
    'identities/ingress.conf',
    'identities/kubelet-node-1.conf',
    'identities/kubelet-node-2.conf',
    'identities/proxy.conf',
    'identities/scheduler.conf',
    'nodes/node-1/pki/kubelet.crt',
    'nodes/node-1/pki/kubelet.key',
    'nodes/node-2/pki/kubelet.crt',
    'nodes/node-2/pki/kubelet.key',
    'pki/apiserver-kubelet-client.crt',
    'pki/apiserver-kubelet-client.key',
    'pki/apiserver.crt',
    'pki/apiserver.key',
    'pki/ca.crt',
    'pki/ca.key',
    'pki/front-proxy-ca.crt',
    'pki/front-proxy-ca.key',
    'pki/front-proxy-client.crt',
    'pki/front-proxy-client.key',
    'pki/sa.key',
    'pki/sa.pub',
  ])
  const open = [...files.keys()].filter((file) => (statSync(join(state.root, file)).mode & 0o077) !== 0)
  expect(open.every((file) => /\.(crt|pub)$/.test(file))).toBe(true)
  ensurePki(someConfig, state, url, now + 300 * dayMs)
  expect(changed(files, filesOf(state))).toEqual([])
})

test('the API server is who people, components and pods call', async () => {
  const state = temporaryState()
  ensurePki(someConfig, state, url, now)
  const certificate = certificateOf(state, 'pki/apiserver.crt')
  for (const host of ['localhost', 'kubernetes', 'kubernetes.default.svc.cluster.local', 'kubernetes.default.svc']) {
    expect(certificate.checkHost(host)).toBe(host)
  }
  for (const address of ['127.0.0.1', '127.127.0.1', '10.96.0.1']) expect(certificate.checkIP(address)).toBe(address)
  expect(certificateOf(state, 'nodes/node-2/pki/kubelet.crt').checkIP('127.95.2.1')).toBe('127.95.2.1')
})

test('extension servers are shown a certificate of an authority of its own', () => {
  const state = temporaryState()
  ensurePki(someConfig, state, url, now)
  const certificate = certificateOf(state, 'pki/front-proxy-client.crt')
  expect(certificate.verify(certificateOf(state, 'pki/front-proxy-ca.crt').publicKey)).toBe(true)
  expect(certificate.verify(certificateOf(state, 'pki/ca.crt').publicKey)).toBe(false)
})

test('everybody is who the roles of Kubernetes name', async () => {
  const state = temporaryState()
  ensurePki(someConfig, state, url, now)
  for (const [name, subject] of Object.entries(identitiesOf(someConfig))) {
    const { server, tls } = await readKubeconfig(state.identity(name))
    expect(server).toBe(url)
    expect(subjectOfText(new X509Certificate(tls?.cert ?? '').subject)).toEqual(subject)
  }
  expect(identitiesOf(someConfig)['kubelet-node-1']).toEqual({ user: 'system:node:node-1', groups: ['system:nodes'] })
})

test('what expires, misses a name or is new is made, and nothing else', async () => {
  const state = temporaryState()
  ensurePki(someConfig, state, url, now)
  const first = filesOf(state)
  const nodes = [...someConfig.nodes, { name: 'node-3' }]
  ensurePki({ ...someConfig, nodes }, state, url, now)
  const second = filesOf(state)
  expect(changed(first, second)).toEqual([
    'identities/kubelet-node-3.conf',
    'nodes/node-3/pki/kubelet.crt',
    'nodes/node-3/pki/kubelet.key',
  ])
  ensurePki({ ...someConfig, nodes, slot: 30 }, state, url, now)
  const third = filesOf(state)
  expect(changed(second, third).filter((file) => file.endsWith('.crt'))).toEqual([
    'nodes/node-1/pki/kubelet.crt',
    'nodes/node-2/pki/kubelet.crt',
    'nodes/node-3/pki/kubelet.crt',
    'pki/apiserver.crt',
  ])
  ensurePki({ ...someConfig, nodes, slot: 30 }, state, url, now + 350 * dayMs)
  const renewed = changed(third, filesOf(state))
  expect(renewed).toHaveLength(third.size - 6)
  expect(renewed.some((file) => /pki\/(ca|sa|front-proxy-ca)\./.test(file))).toBe(false)
})

test('another port is written into the kubeconfigs, which keep their certificates', async () => {
  const state = temporaryState()
  ensurePki(someConfig, state, url, now)
  const before = await readKubeconfig(state.identity('scheduler'))
  ensurePki(someConfig, state, 'https://127.0.0.1:7777', now)
  expect(await readKubeconfig(state.identity('scheduler'))).toEqual({ ...before, server: 'https://127.0.0.1:7777' })
})

test('a cluster from before there were certificates keeps its signing key', async () => {
  const state = temporaryState()
  const key = newSigningKey()
  writeFileSync(state.formerSigningKey, key)
  ensurePki(someConfig, state, url, now)
  expect(readFileSync(join(state.pki, 'sa.key'), 'utf8')).toBe(key)
  const publicKey = createPublicKey(readFileSync(join(state.pki, 'sa.pub'), 'utf8'))
  expect(publicKey.equals(createPublicKey(createPrivateKey(key)))).toBe(true)
})

test('a person gets a certificate of their own', async () => {
  const state = temporaryState()
  const person = { subject: { user: 'jane', groups: ['dev'] }, now, expiresInSeconds: 3600 }
  expect(() => kubeconfigFor(someConfig, state, url, person)).toThrow('`dinghy up` makes it')
  ensurePki(someConfig, state, url, now)
  const config = kubeconfigFor(someConfig, state, url, person)
  expect(config['current-context']).toBe('jane@dinghy-two')
  const data = config.users?.[0]?.user?.['client-certificate-data'] ?? ''
  const certificate = new X509Certificate(Buffer.from(data, 'base64'))
  expect(certificate.subject.split('\n')).toEqual(['O=dev', 'CN=jane'])
  expect(Date.parse(certificate.validTo)).toBe(now + 3_600_000)
  expect(kubeconfigFor(someConfig, state, url)['current-context']).toBe('dinghy-two')
})

test('in machines mode nodes find the API server on their switch, and it answers to that address', async () => {
  const state = temporaryState()
  ensurePki({ ...someConfig, network: 'machines', slot: 0 }, state, url, now)
  const certificate = certificateOf(state, 'pki/apiserver.crt')
  for (const address of ['127.0.0.1', '172.30.0.1', '10.96.0.1']) expect(certificate.checkIP(address)).toBe(address)
  expect(certificateOf(state, 'nodes/node-2/pki/kubelet.crt').checkIP('172.30.0.12')).toBe('172.30.0.12')
  const serverOf = async (name: string) => (await readKubeconfig(state.identity(name))).server
  expect(await serverOf('kubelet-node-2')).toBe('https://172.30.0.1:6474')
  expect(await serverOf('proxy')).toBe('https://172.30.0.1:6474')
  expect(await serverOf('scheduler')).toBe(url)
})
