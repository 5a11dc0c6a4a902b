import { KubeConfig } from '@kubernetes/client-node'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { readKubeconfig } from './kubeconfig.ts'
import {
  identityIn,
  kubeconfigOf,
  mergeKubeconfig,
  writeComponentKubeconfig,
  writeKubeconfig,
} from './kubeconfig-file.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'))
  path = join(directory, 'deep', 'config')
})
afterEach(() => rmSync(directory, { recursive: true }))

const demo = {
  name: 'dinghy-demo',
  server: 'https://127.0.0.1:6443',
  authority: 'the authority',
  identity: { certificate: 'a certificate', key: 'a key' },
}
const credentials = {
  server: demo.server,
  tls: { ca: 'the authority', cert: 'a certificate', key: 'a key' },
}

test('what is written is read, by us and by others, and by nobody else on the machine', async () => {
  await writeKubeconfig(path, kubeconfigOf(demo))
  const config = new KubeConfig()
  config.loadFromFile(path)
  expect(config.getCurrentContext()).toBe('dinghy-demo')
  expect(config.getCurrentCluster()).toMatchObject({
    server: 'https://127.0.0.1:6443',
    caData: Buffer.from('the authority').toString('base64'),
    skipTLSVerify: false,
  })
  expect(config.getCurrentUser()).toMatchObject({ keyData: Buffer.from('a key').toString('base64') })
  expect(await readKubeconfig(path)).toEqual(credentials)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(directory, 'deep'))).toEqual(['config'])
})

test("a component's file says the same in JSON", async () => {
  writeComponentKubeconfig(path, kubeconfigOf(demo))
  expect(await readKubeconfig(path)).toEqual(credentials)
  expect(identityIn(JSON.parse(readFileSync(path, 'utf8')) as object)).toEqual(demo.identity)
  expect(identityIn({})).toBeUndefined()
})

test('other clusters in the file are kept, our own entry is replaced', async () => {
  await writeKubeconfig(path, kubeconfigOf({ ...demo, server: 'https://127.0.0.1:1' }))
  const other = parse(readFileSync(path, 'utf8'))
  other.clusters.push({ name: 'work', cluster: { server: 'https://work' } })
  other.preferences = { colors: true }
  writeFileSync(path, stringify(other))
  await writeKubeconfig(path, kubeconfigOf({ ...demo, server: 'https://127.0.0.1:2' }))
  const result = parse(readFileSync(path, 'utf8'))
  expect(
    result.clusters.map(({ name, cluster }: { name: string; cluster: { server: string } }) => [name, cluster.server]),
  ).toEqual([
    ['work', 'https://work'],
    ['dinghy-demo', 'https://127.0.0.1:2'],
  ])
  expect(result.contexts).toHaveLength(1)
  expect(result.preferences).toEqual({ colors: true })
})

test('several clusters and users share one file, and the last is the current one', () => {
  const two = mergeKubeconfig(kubeconfigOf(demo), kubeconfigOf({ ...demo, name: 'dinghy-prod' }))
  const three = mergeKubeconfig(two, kubeconfigOf({ ...demo, name: 'dinghy-prod', user: 'jane' }))
  expect(three.contexts?.map(({ name }) => name)).toEqual(['dinghy-demo', 'dinghy-prod', 'jane@dinghy-prod'])
  expect(three.clusters).toHaveLength(2)
  expect(three['current-context']).toBe('jane@dinghy-prod')
})

function fileWith(user: object, cluster: object = {}): string {
  path = join(directory, 'config')
  const config = {
    clusters: [{ name: 'c', cluster: { server: 'https://x', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'now', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    'current-context': 'now',
  }
  writeFileSync(path, stringify(config))
  return path
}

test('files beside the kubeconfig, tokens, and the rest of what a cluster may say', async () => {
  for (const name of ['ca.crt', 'me.crt', 'me.key']) writeFileSync(join(directory, name), name)
  writeFileSync(join(directory, 'token'), 'abc\n')
  const user = { 'client-certificate': 'me.crt', 'client-key': 'me.key', tokenFile: 'token' }
  expect(await readKubeconfig(fileWith(user, { 'certificate-authority': 'ca.crt', 'tls-server-name': 'k' }))).toEqual({
    server: 'https://x',
    tls: { ca: 'ca.crt', cert: 'me.crt', key: 'me.key', servername: 'k' },
    token: 'abc',
    namespace: 'shop',
  })
  expect(await readKubeconfig(fileWith({ token: 't' }, { 'insecure-skip-tls-verify': true }))).toEqual({
    server: 'https://x',
    tls: { rejectUnauthorized: false },
    token: 't',
    namespace: 'shop',
  })
})

test('what cannot be done is an error that says so', async () => {
  await expect(readKubeconfig(fileWith({ exec: { command: 'aws' } }))).rejects.toThrow('users with "exec"')
  path = join(directory, 'config')
  writeFileSync(path, 'apiVersion: v1\nkind: Config\ncurrent-context: lost\n')
  await expect(readKubeconfig(path)).rejects.toThrow('the current context "lost" names no server')
})
