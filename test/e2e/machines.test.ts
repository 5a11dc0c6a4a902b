/**
 * Nodes as machines: what only a network of one's own makes true. Needs root and iproute2; elsewhere clusters are on
 * the loopback network, and there is nothing to see here.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { V1Pod } from '@kubernetes/client-node'
import { Cluster, until } from './harness/cluster.ts'

const canBe = process.getuid?.() === 0 && existsSync('/proc/self/ns/net') && spawnSync('ip', ['-V']).error === undefined

/** Answers with its own name and the address that asked. It listens on all addresses, as every program does. */
const server = `require('http').createServer((request, response) =>
  response.end(process.env.HOSTNAME + ' ' + request.socket.remoteAddress.replace('::ffff:', '') + '\\n'))
  .listen(Number(process.argv[1]), '0.0.0.0')`

function podOf(name: string, node: string, port: number, more: object = {}): object {
  const container = { name: 'web', image: 'node', command: ['node', '-e', server, String(port)] }
  const { ports, ...spec } = more as { ports?: object[] }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { part: name } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      containers: [{ ...container, ...(ports ? { ports } : {}) }],
      ...spec,
    },
  }
}

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'shop' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'shop' } },
    template: {
      metadata: { labels: { app: 'shop' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'web', image: 'node', command: ['node', '-e', server, '80'] }],
      },
    },
  },
}

/** Links, routes, tables and mounts of this machine that the cluster could have made. Others run beside it. */
function leftovers({ slot, stateDir }: { slot: number; stateDir: string }): string[] {
  const out = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' }).stdout ?? ''
  const links = out('ip', '-o', 'link')
    .split('\n')
    .flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? [])
  const routes = out('ip', 'route', 'show', 'table', 'all')
    .split('\n')
    .filter((line) => new RegExp(`dinghy${slot}\\b|172\\.30\\.${slot}\\.`).test(line))
  const tables = out('nft', 'list', 'tables')
    .split('\n')
    .filter((line) => line.endsWith(` dinghy-${slot}`))
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(stateDir))
  return [...links.filter((name) => name === `dinghy${slot}`), ...routes, ...tables, ...mounts]
}

describe.skipIf(!canBe)('nodes that are machines (root, iproute2)', () => {
  const cluster = new Cluster(2)
  beforeAll(() => {
    cluster.up('--network', 'machines')
    const objects = [
      podOf('one', 'node-1', 80),
      podOf('two', 'node-1', 80, { ports: [{ containerPort: 80, hostPort: 8090 }] }),
      podOf('far', 'node-2', 80),
      podOf('host-1', 'node-1', 8091, { hostNetwork: true }),
      podOf('host-2', 'node-2', 8091, { hostNetwork: true }),
      deployment,
    ]
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

  async function nodeIP(name: string): Promise<string> {
    const { status } = await cluster.core.readNode({ name })
    return status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? ''
  }

  /** From inside a pod; "name of who answers, address that it saw". */
  function ask(pod: string, host: string, port = 80): string[] {
    const script = `fetch('http://${host}:${port}/', { signal: AbortSignal.timeout(20000) })
      .then((answer) => answer.text()).then(console.log, (error) => console.log('' + (error.cause ?? error)))`
    return cluster.kubectl(['exec', pod, '--', 'node', '-e', script]).stdout.trim().split(' ')
  }

  async function shopPods(): Promise<V1Pod[]> {
    const { items } = await cluster.core.listNamespacedPod({ namespace: 'default', labelSelector: 'app=shop' })
    return items
  }

  test('two pods of one node listen on the same port, whatever program they run', async () => {
    const [one, two] = [await podIP('one'), await podIP('two')]
    expect(one).not.toBe(two)
    expect(ask('one', two)).toEqual(['two', one])
    expect(ask('two', one)).toEqual(['one', two])
    expect(ask('one', one)).toEqual(['one', one])
    const answer = await fetch(`http://${two}/`)
    expect(await answer.text()).toContain('two ')
  })

  test.skipIf(!existsSync('/usr/bin/python3'))('programs that are not Node do, too', async () => {
    const python = ['a', 'b'].map((name) => ({
      ...podOf(`python-${name}`, 'node-2', 0),
      spec: {
        nodeName: 'node-2',
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'web', image: 'debian', command: ['/usr/bin/python3', '-m', 'http.server', '80'] }],
      },
    }))
    cluster.kubectl(['apply', '-f', '-'], python.map((object) => JSON.stringify(object)).join('\n---\n'))
    const ready = ['wait', '--for=condition=Ready', 'pod/python-a', 'pod/python-b', '--timeout=60s']
    expect(cluster.kubectl(ready).code).toBe(0)
    for (const name of ['python-a', 'python-b']) {
      const address = await podIP(name)
      await until(`${name} answers`, async () => (await fetch(`http://${address}/`)).status === 200)
    }
    cluster.kubectl(['delete', 'pod', 'python-a', 'python-b'])
  })

  test('pods of two nodes see the addresses of one another', async () => {
    const [one, far] = [await podIP('one'), await podIP('far')]
    expect(ask('one', far)).toEqual(['far', one])
    expect(ask('far', one)).toEqual(['one', far])
  })

  test('hostNetwork is the network of a node, and each node has that port; a hostPort leads to its pod', async () => {
    for (const node of ['node-1', 'node-2']) {
      const address = await nodeIP(node)
      expect(await podIP(`host-${node.at(-1)}`)).toBe(address)
      expect(await (await fetch(`http://${address}:8091/`)).text()).not.toBe('')
      expect(ask('one', address, 8091)[1]).not.toBe('')
    }
    const address = await nodeIP('node-1')
    expect(await (await fetch(`http://${address}:8090/`)).text()).toContain('two ')
    expect(ask('far', address, 8090)[0]).toBe('two')
    expect(ask('two', address, 8090)[0]).toBe('two')
  })

  test("the beginner's way: three web servers behind a Service, by name from inside, by address from outside", async () => {
    const exposed = cluster.kubectl(['expose', 'deployment', 'shop', '--port', '80', '--type', 'LoadBalancer'])
    expect(exposed.code, exposed.stderr).toBe(0)
    const service = await until('an address of the load balancer', async () => {
      const found = await cluster.core.readNamespacedService({ name: 'shop', namespace: 'default' })
      return found.status?.loadBalancer?.ingress?.[0]?.ip !== undefined && found
    })
    const names = (await shopPods()).map(({ metadata }) => metadata?.name)
    const answering = new Set<string | undefined>()
    await until('all three answer by name', () => {
      answering.add(ask('far', 'shop')[0])
      return names.every((name) => answering.has(name))
    })
    const address = service.status?.loadBalancer?.ingress?.[0]?.ip
    const nodePort = service.spec?.ports?.[0]?.nodePort
    for (const host of [address, `${await nodeIP('node-1')}:${nodePort}`, `127.0.0.1:${nodePort}`]) {
      await until(`${host} answers`, async () => {
        const text = await (await fetch(`http://${host}/`, { signal: AbortSignal.timeout(2_000) })).text()
        return names.includes(text.split(' ')[0] ?? '')
      })
    }
  })

  test('kubectl exec, logs and port-forward reach into nodes; a command runs in the network of a node', async () => {
    expect(cluster.kubectl(['exec', 'far', '--', 'cat', '/etc/resolv.conf']).stdout).toContain('svc.cluster.local')
    expect(cluster.kubectl(['logs', 'far']).code).toBe(0)
    const addresses = cluster.dinghy('node', 'shell', 'node-2', 'ip', '-o', 'address')
    expect(addresses.stdout, addresses.stderr).toContain(await nodeIP('node-2'))
  })

  test('when everything is killed pods run on with their addresses, and the next up finds all of it', async () => {
    const addresses = await Promise.all(['one', 'two', 'far'].map(podIP))
    const { components } = cluster.status()
    process.kill(Number(readFileSync(join(cluster.stateDir, 'supervisor.pid'), 'utf8')), 'SIGKILL')
    for (const { pid } of components) process.kill(pid, 'SIGKILL')
    expect(await (await fetch(`http://${addresses[2]}/`)).text()).toContain('far ')
    cluster.up('--network', 'machines')
    expect(await Promise.all(['one', 'two', 'far'].map(podIP))).toEqual(addresses)
    const { items } = await cluster.core.listNamespacedPod({ namespace: 'default' })
    expect(items.map(({ status }) => status?.containerStatuses?.[0]?.restartCount)).toEqual(items.map(() => 0))
    await until('names are known again', () => ask('one', 'shop').length === 2)
    expect(ask('far', await nodeIP('node-1'), 8090)[0]).toBe('two')
  }, 180_000)

  test('pods of a node that is cut off run elsewhere, and have no second life when it is healed', async () => {
    const on = (node: string, pods: V1Pod[]) => pods.filter(({ spec }) => spec?.nodeName === node)
    const isWell = ({ metadata, status }: V1Pod) =>
      metadata?.deletionTimestamp === undefined &&
      (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True')
    const lost = on('node-2', await shopPods()).map(({ metadata }) => metadata?.uid)
    expect(cluster.dinghy('node', 'cut', 'node-2').code).toBe(0)
    await until(
      'three pods on the node that is left',
      async () => {
        return on('node-1', await shopPods()).filter(isWell).length === 3
      },
      120_000,
    )
    expect(cluster.status().components.every(({ ready }) => ready)).toBe(true)
    expect(cluster.dinghy('node', 'heal', 'node-2').code).toBe(0)
    await until(
      'the node is Ready',
      async () => {
        const { status } = await cluster.core.readNode({ name: 'node-2' })
        return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')
      },
      60_000,
    )
    await until('the pods that were moved are gone', async () => (await shopPods()).every(isWell), 60_000)
    expect(await shopPods()).toHaveLength(3)
    const running = await cluster.engine.listContainers()
    expect(running.filter(({ Labels }) => lost.includes(Labels['io.kubernetes.pod.uid']))).toEqual([])
    const far = { name: 'far', namespace: 'default' }
    // It tolerates nothing: it was evicted with its node.
    await expect(cluster.core.readNamespacedPod(far)).rejects.toThrow('404')
  }, 300_000)

  test('nodes come and go', async () => {
    expect(cluster.dinghy('node', 'add').stdout).toContain('node-3 is starting')
    await until('node-3 is Ready', async () => {
      const { status } = await cluster.core.readNode({ name: 'node-3' })
      return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')
    })
    cluster.kubectl(['apply', '-f', '-'], JSON.stringify(podOf('new', 'node-3', 80)))
    expect(cluster.kubectl(['wait', '--for=condition=Ready', 'pod/new', '--timeout=60s']).code).toBe(0)
    expect(ask('one', await podIP('new'))[0]).toBe('new')
    expect(cluster.dinghy('node', 'stop', 'node-3').code).toBe(0)
    expect(cluster.dinghy('node', 'shell', 'node-3', 'true').stderr).toContain('node-3 is off')
    expect(cluster.dinghy('node', 'start', 'node-3').code).toBe(0)
    await until('the pod of node-3 answers again', async () => ask('one', await podIP('new'))[0] === 'new')
    expect(cluster.dinghy('node', 'remove', 'node-3').stdout).toContain('node-3 is removed')
    await expect(cluster.core.readNode({ name: 'node-3' })).rejects.toThrow('404')
    await until('its pods are gone', async () => {
      const { items } = await cluster.core.listNamespacedPod({ namespace: 'default' })
      return items.every(({ spec }) => spec?.nodeName !== 'node-3')
    })
  }, 240_000)

  test('nothing is left of it in the end', () => {
    const { stateDir } = cluster
    const { slot } = cluster.status()
    const before = leftovers({ slot, stateDir })
    expect(before).toContain(`dinghy${slot}`)
    expect(before).toContain(`table ip dinghy-${slot}`)
    expect(before.some((line) => line.includes(`${stateDir}/machines/`))).toBe(true)
    expect(cluster.dinghy('down', '--wipe').code).toBe(0)
    expect(leftovers({ slot, stateDir })).toEqual([])
  })
})
