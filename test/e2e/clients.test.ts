/**
 * Clients that are not ours, one after the other against one cluster: kubectl in every version that this machine has
 * (beside the PATH: what lies below /usr/lib and /opt as kubectl.1.31 or kubectl-1.31), and Python's official client.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, until } from './harness/cluster.ts'

const cluster = new Cluster(2)
const kubectls = findKubectls()
const [[newest] = [], [oldest] = []] = [kubectls.at(0), kubectls.at(-1)]
const python = ['/usr/bin/python3', 'python3'].find(
  (command) => spawnSync(command, ['-c', 'import kubernetes']).status === 0,
)

beforeAll(() => cluster.up())
afterAll(() => cluster.destroy())

/** By minor version, newest first; one of each. */
function findKubectls(): [version: string, path: string][] {
  const below = (parent: string) =>
    existsSync(parent) ? readdirSync(parent).map((name) => join(parent, name, 'bin')) : []
  const found = new Map<number, string>()
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), ...below('/usr/lib'), ...below('/opt')]) {
    if (!existsSync(directory)) continue
    for (const name of readdirSync(directory).filter((file) => /^kubectl([.-]v?1\.[\d.]+)?$/.test(file))) {
      const { stdout } = spawnSync(join(directory, name), ['version', '--client', '-o', 'json'], { encoding: 'utf8' })
      const minor = /"minor": "(\d+)/.exec(stdout ?? '')?.[1]
      if (minor !== undefined && !found.has(Number(minor))) found.set(Number(minor), join(directory, name))
    }
  }
  return [...found].sort(([a], [b]) => b - a).map(([minor, path]) => [`1.${minor}`, path])
}

const program = `
  const { createServer } = require('node:http')
  createServer((request, answer) => answer.end('asked for ' + request.url)).listen(8080, process.env.POD_IP)
  console.log('listening')`

function deployment(replicas: number): string {
  const env = [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }]
  const container = {
    name: 'c',
    image: 'node',
    command: ['node', '-e', program],
    env,
    ports: [{ containerPort: 8080 }],
  }
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { terminationGracePeriodSeconds: 0, containers: [container] },
      },
    },
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

describe.skipIf(kubectls.length === 0)('kubectl', () => {
  test.each(kubectls)('%s', async (version, path) => {
    const namespace = `kubectl-${version.replace('.', '-')}`
    const local = join(cluster.stateDir, namespace)
    const run = (line: string | string[], input?: string) => {
      const words = typeof line === 'string' ? line.split(' ') : line
      const { env } = cluster
      const args = ['-n', namespace, ...words]
      const { stdout, stderr } = spawnSync(path, args, { env, encoding: 'utf8', input: input ?? '', timeout: 60_000 })
      return (stdout + stderr).trim()
    }
    /** A command that lasts: resolves with what it said when that matches, and leaves it running. */
    const start = async (line: string, pattern: RegExp) => {
      const child = spawn(path, ['-n', namespace, ...line.split(' ')], { env: cluster.env })
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
      await until(`${line} to say ${String(pattern)}`, () => pattern.test(said))
      return async () => {
        const gone = once(child, 'exit')
        child.kill()
        await gone
      }
    }

    expect(run(`create namespace ${namespace}`)).toContain('created')
    expect(run('apply -f -', deployment(1))).toBe('deployment.apps/web created')
    expect(run('rollout status deploy/web --timeout=60s')).toContain('successfully rolled out')
    expect(run('explain deployment.spec.strategy')).toMatch(/rollingUpdate/)
    expect(run('explain --output=plaintext-openapiv2 deployment.spec.strategy')).toMatch(/rollingUpdate\s+<Object>/)
    expect(run('diff --server-side --force-conflicts -f -', deployment(2))).toMatch(/^\+ {2}replicas: 2$/m)
    expect(run('apply --server-side --force-conflicts -f -', deployment(2))).toContain('serverside-applied')
    expect(run('auth can-i create pods')).toBe('yes')
    expect(run('auth can-i create pods --as=jane')).toMatch(/^no/)
    // 1.27 asks for v1beta1 of this API, which Kubernetes 1.33 does not serve by itself.
    expect(run('auth whoami')).toMatch(version === '1.27' ? /not enabled/ : /kubernetes-admin/)

    const pod = run('get pod -l app=web -o jsonpath={.items[0].metadata.name}')
    expect(run(`exec -i ${pod} -- cat`, 'there and back')).toContain('there and back')
    expect(run(['exec', pod, '--', 'sh', '-c', 'exit 3'])).toContain('exit code 3')
    writeFileSync(local, 'carried')
    expect(run(`cp ${local} ${pod}:/tmp/x`)).toBe('')
    run(`cp ${pod}:/tmp/x ${local}.back`)
    expect(readFileSync(`${local}.back`, 'utf8')).toBe('carried')
    await (
      await start(`logs -f ${pod}`, /listening/)
    )()
    const port = await freePort()
    const stop = await start(`port-forward ${pod} ${port}:8080`, /Forwarding from/)
    expect(await (await fetch(`http://127.0.0.1:${port}/x`)).text()).toBe('asked for /x')
    await stop()
    const proxied = await freePort()
    const stopProxy = await start(`proxy --port=${proxied}`, /Starting to serve/)
    const seen = await fetch(`http://127.0.0.1:${proxied}/api/v1/namespaces/${namespace}/pods/${pod}`)
    expect(await seen.json()).toMatchObject({ kind: 'Pod', metadata: { name: pod } })
    await stopProxy()
    // All commands by the newest and the oldest; what differs between versions is how they speak, which all have shown.
    if (version !== newest && version !== oldest) return
    expect(run(`debug ${pod} --image=busybox --target=c --attach -- echo from beside`)).toContain('from beside')

    expect(run('autoscale deploy/web --min=1 --max=3 --cpu-percent=50')).toContain('autoscaled')
    expect(run('rollout restart deploy/web')).toContain('restarted')
    expect(run('rollout undo deploy/web')).toContain('rolled back')
    expect(run('top nodes')).toMatch(/node-1/)
    expect(run('create job j --image=busybox -- true')).toContain('created')
    expect(run('wait --for=condition=complete job/j --timeout=60s')).toContain('condition met')
    expect(run('drain node-2 --ignore-daemonsets --force --timeout=60s')).toContain('node/node-2 drained')
    expect(run('uncordon node-2')).toContain('uncordoned')
    expect(run(`delete namespace ${namespace} --wait=false`)).toContain('deleted')
  })
})

describe.skipIf(!python)(`Python's client${python ? '' : ' (skipped: python3-kubernetes is not installed)'}`, () => {
  test('lists, creates, watches and execs', () => {
    const source = readFileSync(join(import.meta.dirname, 'harness/client.py'), 'utf8')
    const { stdout, stderr } = spawnSync(python ?? '', ['-'], {
      env: cluster.env,
      input: source,
      encoding: 'utf8',
      timeout: 90_000,
    })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({
      nodes: ['node-1', 'node-2'],
      created: 'Pending',
      watched: 'Running',
      printed: 'from python\n',
      refused: [409, 'AlreadyExists'],
      patched: { by: 'python' },
      left: [],
    })
  })
})
