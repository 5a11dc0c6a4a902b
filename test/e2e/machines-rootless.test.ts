/**
 * Nodes as machines of an ordinary user, who has no more than a user namespace: everything but the runtime and the
 * gateway lives in there. As root the suite starts the cluster as another user.
 */

import { spawnSync } from 'node:child_process'
import { request } from 'node:http'
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, until } from './harness/cluster.ts'
import type { User } from './harness/runtime.ts'

const isRoot = process.getuid?.() === 0
const user: User | undefined = isRoot ? { uid: 64_124, gid: 64_124 } : undefined
const refusal = whyNot()

/** Empty if this machine lets that user have networks. */
function whyNot(): string {
  if (process.platform !== 'linux') return 'network namespaces are Linux'
  const script = 'link add try type bridge\nlink add cable type veth peer name end\n'
  const words = ['--map-root-user', '--mount', '--net', 'ip', '-batch', '-']
  const { stderr, error } = spawnSync('unshare', words, { ...user, cwd: '/', input: script, encoding: 'utf8' })
  return error ? error.message : stderr.trim()
}

const server = `require('http').createServer((request, response) =>
  response.end(process.env.HOSTNAME + ' ' + request.socket.remoteAddress.replace('::ffff:', '') + '\\n'))
  .listen(80, '0.0.0.0')`

function podOf(name: string, nodeName: string): object {
  const containers = [{ name: 'web', image: 'node', command: ['node', '-e', server] }]
  const metadata = { name, labels: { app: 'web' } }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName, terminationGracePeriodSeconds: 0, containers } }
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80 }] },
}

describe.skipIf(refusal !== '')(`machines of an ordinary user${refusal && ` (skipped: ${refusal})`}`, () => {
  const cluster = new Cluster(2, user)
  beforeAll(() => {
    cluster.up('--network', 'machines')
    const objects = [podOf('one', 'node-1'), podOf('two', 'node-1'), podOf('far', 'node-2'), service]
    const applied = cluster.kubectl(
      ['apply', '-f', '-'],
      objects.map((object) => JSON.stringify(object)).join('\n---\n'),
    )
    expect(applied.code, applied.stderr).toBe(0)
    const ready = cluster.kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=120s'])
    expect(ready.code, ready.stderr).toBe(0)
  }, 240_000)
  afterAll(() => cluster.destroy())

  async function podIP(name: string): Promise<string> {
    return (await cluster.core.readNamespacedPod({ name, namespace: 'default' })).status?.podIP ?? ''
  }

  function ask(pod: string, host: string): string[] {
    const script = `fetch('http://${host}/', { signal: AbortSignal.timeout(20000) })
      .then((answer) => answer.text()).then(console.log, (error) => console.log('' + (error.cause ?? error)))`
    return cluster.kubectl(['exec', pod, '--', 'node', '-e', script]).stdout.trim().split(' ')
  }

  async function nodePort(): Promise<number> {
    const { spec } = await cluster.core.readNamespacedService({ name: 'web', namespace: 'default' })
    return spec?.ports?.[0]?.nodePort ?? 0
  }

  async function pageOfNodePort(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${await nodePort()}/`, { signal: AbortSignal.timeout(2_000) })
    return await answer.text()
  }

  test('pods have ports and addresses of their own', async () => {
    const [one, two, far] = await Promise.all(['one', 'two', 'far'].map(podIP))
    expect(ask('one', two ?? '')).toEqual(['two', one])
    expect(ask('two', one ?? '')).toEqual(['one', two])
    expect(ask('far', one ?? '')).toEqual(['one', far])
  })

  test('a Service has a name inside, and its node port is on localhost outside', async () => {
    await until('the Service is known by its name', () => ['one', 'two', 'far'].includes(ask('far', 'web')[0] ?? ''))
    expect(await until('an answer at the node port', pageOfNodePort)).toMatch(/^(one|two|far) /)
  })

  test('an Ingress is on localhost outside', async () => {
    const backend = { service: { name: 'web', port: { number: 80 } } }
    const rule = { host: 'shop.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }
    const ingress = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'shop' },
      spec: { rules: [rule] },
    }
    expect(cluster.kubectl(['apply', '-f', '-'], JSON.stringify(ingress)).code).toBe(0)
    const port = 8080 + cluster.status().slot
    const page = async () => await pageOf(port, 'shop.test')
    expect(await until('an answer of the ingress', page)).toMatch(/^200 (one|two|far) /)
    expect(await pageOf(port, 'other.test')).toMatch(/^404 /)
  })

  test('exec, logs and port numbers of nodes are inside; a command gets there', () => {
    const addresses = cluster.dinghy('node', 'shell', 'node-2', 'ip', '-o', 'address')
    expect(addresses.stdout, addresses.stderr).toContain('eth0')
    expect(cluster.kubectl(['logs', 'far']).code).toBe(0)
  })

  test('everything is killed, pods run on, and the next up finds them in their namespaces', async () => {
    const before = await Promise.all(['one', 'two', 'far'].map(podIP))
    const { components } = cluster.status()
    process.kill(Number(readFileSync(join(cluster.stateDir, 'supervisor.pid'), 'utf8')), 'SIGKILL')
    for (const { pid } of components) process.kill(pid, 'SIGKILL')
    cluster.up('--network', 'machines')
    expect(await Promise.all(['one', 'two', 'far'].map(podIP))).toEqual(before)
    const { items } = await cluster.core.listNamespacedPod({ namespace: 'default' })
    expect(items.map(({ status }) => status?.containerStatuses?.[0]?.restartCount)).toEqual([0, 0, 0])
    expect(await until('an answer at the node port', pageOfNodePort)).toMatch(/^(one|two|far) /)
  }, 180_000)

  test('nothing is left in the end, neither processes nor namespaces', async () => {
    const namespaces = networkNamespaces()
    expect(namespaces.size).toBeGreaterThan(1)
    expect(cluster.dinghy('down', '--wipe').code).toBe(0)
    await until('all processes are gone', () => networkNamespaces().size === (isRoot ? 0 : 1))
  })
})

/** Code and body, or nothing while nobody listens. fetch() would not let us say another Host. */
async function pageOf(port: number, host: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const sent = request({ port, headers: { host }, timeout: 5_000 }, (response) => {
      void text(response).then((body) => resolve(`${response.statusCode} ${body}`))
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => resolve(undefined))
    sent.end()
  })
}

/** Of the processes of that user. */
function networkNamespaces(): Set<string> {
  const uid = user?.uid ?? process.getuid?.()
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
  return new Set(
    pids.flatMap((pid) => {
      try {
        return statSync(`/proc/${pid}`).uid === uid ? [readlinkSync(`/proc/${pid}/ns/net`)] : []
      } catch (error) {
        // It ended while we looked.
        if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
        throw error
      }
    }),
  )
}
