/**
 * Services and NetworkPolicies where nodes are machines: real packets between real network namespaces, a load that is
 * counted while pods are replaced and proxies killed, and three tiers that may only talk to their neighbours. Then
 * Services once more, as they are where the machine has no nft.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, root, until } from './harness/cluster.ts'

const tools = ['ip', 'nft', 'nsenter'].filter((tool) => spawnSync('which', [tool]).status !== 0)
const missing = process.getuid?.() === 0 ? tools.join(', ') : 'root'
let cluster: Cluster

const program = `require('http').createServer((request, response) =>
  response.end(process.env.HOSTNAME + ' ' + request.socket.remoteAddress)).listen(8080, '0.0.0.0')`

function deployment(name: string, replicas: number, namespace = 'default') {
  const container = {
    name: 'main',
    image: 'node',
    command: ['node', '-e', program],
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
    // Stays until every proxy has heard that it goes: what any server behind a Service should do.
    lifecycle: { preStop: { sleep: { seconds: 2 } } },
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [container] } },
    },
  }
}

function service(name: string, spec: object = {}, namespace = 'default') {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
  }
}

function policy(name: string, spec: object) {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'tiers' }, spec }
}

function kubectl(args: string[], input?: string): string {
  const { code, stdout, stderr } = cluster.kubectl(args, input)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

function apply(...objects: object[]): void {
  kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
}

async function nodeAddresses(): Promise<string[]> {
  const { items } = await cluster.core.listNode()
  return items.map(({ status }) => status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '')
}

async function said(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(3_000) })
  return await response.text()
}

/** What a program in the pods of a Deployment hears, or "silence". */
function heardFrom(name: string, url: string, namespace = 'default'): string {
  const script = `fetch('${url}', { signal: AbortSignal.timeout(2000) }).then((r) => r.text()).then(console.log, () => console.log('silence'))`
  return kubectl(['exec', '-n', namespace, `deploy/${name}`, '--', 'node', '-e', script]).trim()
}

interface Load {
  /** Ends it: how many answers came, and what else. */
  end(): Promise<{ answered: number; failed: Record<string, number> }>
}

async function load(urls: string[], place: string[] = []): Promise<Load> {
  const [command = '', ...words] = [...place, process.execPath, join(root, 'test/e2e/harness/load.cjs'), ...urls]
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()))
  await once(child.stdout, 'data')
  return {
    end: async () => {
      child.kill('SIGTERM')
      await once(child, 'close')
      return JSON.parse(text.trim().split('\n').at(-1) ?? '{}') as { answered: number; failed: Record<string, number> }
    },
  }
}

describe.skipIf(missing !== '')(`Services where nodes are machines${missing ? ` (needs ${missing})` : ''}`, () => {
  beforeAll(() => {
    cluster = new Cluster(2)
    cluster.up('--network', 'machines')
    apply(deployment('web', 3), service('web', { type: 'LoadBalancer' }))
    kubectl(['rollout', 'status', 'deploy/web', '--timeout=60s'])
  })
  afterAll(() => cluster.destroy())

  const read = (path: string) => kubectl(['get', 'service', 'web', '-o', `jsonpath=${path}`])
  const inNode = (name: string) => ['nsenter', `--net=${join(cluster.stateDir, 'machines', name)}`]

  test('three servers on one port are reached by name from a pod, from both nodes and from outside', async () => {
    const names = JSON.parse(kubectl(['get', 'pods', '-l', 'app=web', '-o', 'json'])) as {
      items: { metadata: { name: string } }[]
    }
    const pods = new Set(names.items.map(({ metadata }) => metadata.name))
    const nodePort = read('{.spec.ports[0].nodePort}')
    const balancer = await until('an address of the load balancer', () => read('{.status.loadBalancer.ingress[0].ip}'))
    expect(pods).toContain(heardFrom('web', 'http://web').split(' ')[0])
    for (const address of [...(await nodeAddresses()), '127.0.0.1']) {
      const words = await until(`${address}:${nodePort}`, () => said(`http://${address}:${nodePort}/`))
      expect(pods).toContain(words.split(' ')[0])
    }
    expect(pods).toContain((await until('the load balancer', () => said(`http://${balancer}/`))).split(' ')[0])
    const seen = await Promise.all(Array.from({ length: 40 }, () => said(`http://${balancer}/`)))
    expect(new Set(seen.map((words) => words.split(' ')[0]))).toEqual(pods)
  })

  test('a policy of external Local keeps the address of the client', async () => {
    apply(service('local', { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: { app: 'web' } }))
    const port = kubectl(['get', 'service', 'local', '-o', 'jsonpath={.spec.ports[0].nodePort}'])
    const [first = ''] = await nodeAddresses()
    const machine = first.replace(/\.\d+$/, '.1')
    const words = await until('an answer', () => said(`http://${first}:${port}/`))
    expect(words.split(' ')[1]).toBe(machine)
    // What a cloud's load balancer would go by.
    const check = kubectl(['get', 'service', 'local', '-o', 'jsonpath={.spec.healthCheckNodePort}'])
    const healths = await Promise.all((await nodeAddresses()).map((address) => said(`http://${address}:${check}/`)))
    const counts = healths.map((text) => (JSON.parse(text) as { localEndpoints: number }).localEndpoints)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3)
  })

  test('under load, replacing all pods and killing the proxies loses nothing', async () => {
    const nodePort = read('{.spec.ports[0].nodePort}')
    const clusterIp = read('{.spec.clusterIP}')
    const outside = await load((await nodeAddresses()).map((address) => `http://${address}:${nodePort}/`))
    const inside = await load([`http://${clusterIp}/`], inNode('node-1'))
    for (const proxy of ['proxy-node-1', 'proxy-node-2']) process.kill(cluster.pid(proxy), 'SIGKILL')
    kubectl(['rollout', 'restart', 'deploy/web'])
    kubectl(['rollout', 'status', 'deploy/web', '--timeout=80s'])
    process.kill(cluster.pid('proxy-node-1'), 'SIGKILL')
    await until('the proxies ready again', () => cluster.status().ready)
    const results = await Promise.all([outside.end(), inside.end()])
    for (const { answered, failed } of results) {
      expect(failed).toEqual({})
      expect(answered).toBeGreaterThan(100)
    }
  })

  test('three tiers talk to their neighbours alone, and explain-connection says why', async () => {
    kubectl(['create', 'namespace', 'tiers'])
    const tiers = ['front', 'back', 'data']
    apply(...tiers.flatMap((name) => [deployment(name, 1, 'tiers'), service(name, {}, 'tiers')]))
    for (const name of tiers) kubectl(['rollout', 'status', '-n', 'tiers', `deploy/${name}`, '--timeout=60s'])
    expect(heardFrom('front', 'http://data', 'tiers')).toMatch(/^data-/)
    const from = (app: string) => [{ from: [{ podSelector: { matchLabels: { app } } }], ports: [{ port: 'http' }] }]
    apply(
      policy('deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
      policy('dns', {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [
          {
            to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
            ports: [{ port: 53, protocol: 'UDP' }],
          },
          { to: [{ podSelector: {} }] },
        ],
      }),
      policy('back-from-front', { podSelector: { matchLabels: { app: 'back' } }, ingress: from('front') }),
      policy('data-from-back', { podSelector: { matchLabels: { app: 'data' } }, ingress: from('back') }),
    )
    await until('the policies in force', () => heardFrom('front', 'http://data', 'tiers') === 'silence')
    expect(heardFrom('front', 'http://back', 'tiers')).toMatch(/^back-/)
    expect(heardFrom('back', 'http://data', 'tiers')).toMatch(/^data-/)
    expect(heardFrom('back', 'http://front', 'tiers')).toBe('silence')
    expect(heardFrom('web', 'http://back.tiers')).toBe('silence')
    // Probes come from the node, which always gets through.
    kubectl(['wait', '-n', 'tiers', '--for=condition=Available', 'deploy', '--all', '--timeout=30s'])

    const pod = kubectl(['get', 'pods', '-n', 'tiers', '-l', 'app=front', '-o', 'jsonpath={.items[0].metadata.name}'])
    const allowed = cluster.dinghy('explain-connection', pod, 'svc/back:80', '-n', 'tiers')
    expect([allowed.code, allowed.stdout]).toEqual([
      0,
      expect.stringContaining('tiers/back-from-front spec.ingress[0]'),
    ])
    const denied = cluster.dinghy('explain-connection', pod, 'svc/data:80', '-n', 'tiers')
    expect([denied.code, denied.stdout]).toEqual([1, expect.stringContaining('no: no rule of')])
  })
})

describe.skipIf(missing !== '')('Services without nft, in user space', () => {
  const inUserSpace = ['node-1', 'node-2'].flatMap((node) => ['--set', `proxy-${node}.proxy-mode=userspace`])

  beforeAll(() => {
    cluster = new Cluster(2)
    cluster.up('--network', 'machines', ...inUserSpace)
    apply(deployment('web', 2), service('web', { type: 'LoadBalancer' }))
    kubectl(['rollout', 'status', 'deploy/web', '--timeout=60s'])
  })
  afterAll(() => cluster.destroy())

  test('by name from a pod, at both nodes, at the load balancer', async () => {
    await until('an answer by name', () => heardFrom('web', 'http://web').startsWith('web-'))
    const nodePort = kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.ports[0].nodePort}'])
    const balancer = kubectl(['get', 'service', 'web', '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}'])
    const places = [...(await nodeAddresses()), '127.0.0.1'].map((address) => `${address}:${nodePort}`)
    for (const place of [...places, balancer]) {
      expect(await until(place, () => said(`http://${place}/`))).toMatch(/^web-/)
    }
  })
})
