/**
 * The newcomer's path, as the README promises it, with the real kubectl and docker where they are installed: build,
 * apply, look, break, watch it heal, ask why, stop, resume.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { V1Pod } from '@kubernetes/client-node'
import { Cluster, isInstalled, until } from './harness/cluster.ts'

const cluster = new Cluster()
const isRoot = process.getuid?.() === 0
const webSelector = 'app=guestbook,part=web'

beforeAll(() => cluster.up())
afterAll(() => cluster.destroy())

async function webPods(): Promise<V1Pod[]> {
  const { items } = await cluster.core.listNamespacedPod({ namespace: 'default', labelSelector: webSelector })
  return items
}

function isReady(pod: V1Pod): boolean {
  return (
    pod.metadata?.deletionTimestamp === undefined &&
    (pod.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  )
}

async function readyWebPods(count: number): Promise<V1Pod[]> {
  return until(`${count} web pods Ready`, async () => {
    const ready = (await webPods()).filter(isReady)
    return ready.length === count && ready
  })
}

async function nodeAddress(name: string): Promise<string> {
  const node = await cluster.core.readNode({ name })
  return node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? ''
}

async function page(path: string, options?: RequestInit, node = 'node-1'): Promise<Response> {
  return fetch(`http://${await nodeAddress(node)}:30080${path}`, options)
}

async function entries(): Promise<string[]> {
  const response = await page('/api/entries')
  const body = (await response.json()) as { entries: { message: string }[] }
  return body.entries.map(({ message }) => message)
}

async function sign(message: string): Promise<void> {
  const response = await page('/api/entries', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Ada', message }),
  })
  if (response.status !== 201) throw new Error(`signing answered ${response.status}`)
}

describe('a newcomer', () => {
  test('finds three nodes Ready and every component ready', async () => {
    // Some start when the cluster is up already: nobody waits for them.
    const status = await until('everything ready', () => {
      const current = cluster.status()
      return current.ready && current
    })
    expect(status.components.map(({ name }) => name)).toEqual([
      'api-server',
      'scheduler',
      'controller',
      'runtime',
      ...(isRoot ? ['dns'] : []),
      'ingress',
      ...(isRoot ? ['gateway'] : []),
      ...['node-1', 'node-2', 'node-3'].flatMap((node) => [`node-agent-${node}`, `proxy-${node}`]),
    ])
    const { items } = await cluster.core.listNode()
    expect(
      items.filter((node) => node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')),
    ).toHaveLength(3)
  })

  test('builds both images', async () => {
    for (const part of ['web', 'api']) {
      const built = cluster.docker(['build', '-t', `guestbook-${part}`, `examples/guestbook/${part}`])
      expect(built.code, built.stderr).toBe(0)
      expect(built.stdout).toContain(`Successfully tagged guestbook-${part}:latest`)
    }
    const images = await cluster.engine.listImages()
    expect(images.flatMap(({ RepoTags }) => RepoTags ?? [])).toEqual(
      expect.arrayContaining(['guestbook-web:latest', 'guestbook-api:latest']),
    )
  })

  test('applies the manifests and sees the rollout finish', () => {
    const applied = cluster.kubectl(['apply', '-f', 'examples/guestbook/'])
    expect(applied.code, applied.stderr).toBe(0)
    expect(applied.stdout).toContain('deployment.apps/web created')
    expect(cluster.kubectl(['apply', '-f', 'examples/guestbook/']).stdout).toContain('deployment.apps/web unchanged')
    for (const name of ['api', 'web']) {
      const rolledOut = cluster.kubectl(['rollout', 'status', `deployment/${name}`])
      expect(rolledOut.stdout, rolledOut.stderr).toContain('successfully rolled out')
    }
  })

  test('opens the page on every node and signs it', async () => {
    for (const node of ['node-1', 'node-2', 'node-3']) {
      const html = await until(`the page on ${node}`, async () => {
        const response = await page('/', {}, node)
        return response.status === 200 && response.text()
      })
      expect(html).toContain('Ahoy, and welcome aboard!')
    }
    await until('the API behind the page', async () => (await page('/api/entries')).status === 200)
    await sign('first aboard')
    expect(await entries()).toEqual(['first aboard'])
  })

  test('is served by every pod in turn', async () => {
    const pods = (await readyWebPods(3)).map(({ metadata }) => metadata?.name ?? '')
    const seen = new Set<string>()
    await until('an answer from each pod', async () => {
      const { pod } = (await (await page('/whoami', { headers: { connection: 'close' } })).json()) as { pod: string }
      seen.add(pod)
      return seen.size === 3
    })
    expect([...seen].toSorted()).toEqual(pods.toSorted())
  })

  test('explain-schedule shows what the scheduler saw right before a pod got its node', async () => {
    const [pod] = await readyWebPods(3)
    const name = pod?.metadata?.name ?? ''
    const { stdout } = cluster.dinghy('explain-schedule', name, '-o', 'json')
    const seen = JSON.parse(stdout) as { decided?: string; best: string[]; nodes: { node: string }[] }
    expect(seen.decided).toBe(pod?.spec?.nodeName)
    expect(seen.best).toContain(pod?.spec?.nodeName)
    expect(seen.nodes.map(({ node }) => node).toSorted()).toEqual(['node-1', 'node-2', 'node-3'])
    expect(cluster.dinghy('explain-schedule', name).stdout).toContain(`is given ${pod?.spec?.nodeName}`)
    expect(cluster.dinghy('explain-schedule', 'nobody').stderr).toContain('pods "nobody" not found')
  })

  test('asks why a pod exists', async () => {
    const [pod] = await readyWebPods(3)
    const { stdout } = cluster.dinghy('why', `pod/${pod?.metadata?.name}`, '-o', 'json')
    const chain = JSON.parse(stdout) as {
      kind: string
      name: string
      verb: string
      actor: string
      revision: number
      cause?: number
    }[]
    const created = chain.filter(({ verb }) => verb === 'create')
    expect(created.map(({ kind }) => kind)).toEqual(['Pod', 'ReplicaSet', 'Deployment'])
    expect(created.map(({ actor }) => actor.split('-')[0])).toEqual([
      'replicaset',
      'deployment',
      expect.stringContaining('kubectl'),
    ])
    // Each creation names the write that caused it; a write that nobody's event caused follows its object's previous
    // one.
    for (const [index, write] of chain.slice(0, -1).entries()) {
      const next = chain[index + 1]
      if (write.cause === undefined) expect(next).toMatchObject({ kind: write.kind, name: write.name })
      else expect(write.cause).toBe(next?.revision)
    }
  })

  test('kills the API container and finds it restarted with its entries', async () => {
    const [container] = await cluster.engine.listContainers({
      filters: { label: ['io.kubernetes.container.name=api'] },
    })
    const before = await cluster.engine.getContainer(container?.Id ?? '').inspect()
    process.kill(before.State.Pid, 'SIGKILL')
    await until('the container restarted', async () => {
      const { items } = await cluster.core.listNamespacedPod({ namespace: 'default', labelSelector: 'part=api' })
      const [pod] = items
      return pod && isReady(pod) && pod.status?.containerStatuses?.[0]?.restartCount === 1
    })
    await until('the entry again', async () => (await entries()).includes('first aboard'))
  })

  test('deletes a pod and gets another', async () => {
    const [victim] = await readyWebPods(3)
    await cluster.core.deleteNamespacedPod({ namespace: 'default', name: victim?.metadata?.name ?? '' })
    await until(
      'the pod gone',
      async () => !(await webPods()).some(({ metadata }) => metadata?.uid === victim?.metadata?.uid),
    )
    await readyWebPods(3)
  })

  test('restarts a rollout and undoes it', async () => {
    const template = async () =>
      (await cluster.apps.readNamespacedDeployment({ namespace: 'default', name: 'web' })).spec?.template
    const original = await template()
    expect(cluster.kubectl(['rollout', 'restart', 'deployment/web']).stdout).toContain('deployment.apps/web restarted')
    expect(cluster.kubectl(['rollout', 'status', 'deployment/web']).stdout).toContain('successfully rolled out')
    expect((await template())?.metadata?.annotations).toHaveProperty(['kubectl.kubernetes.io/restartedAt'])
    expect(cluster.kubectl(['rollout', 'history', 'deployment/web']).stdout).toMatch(/^1 .*\n2 /m)
    expect(cluster.kubectl(['rollout', 'undo', 'deployment/web']).stdout).toContain('deployment.apps/web rolled back')
    expect(cluster.kubectl(['rollout', 'status', 'deployment/web']).stdout).toContain('successfully rolled out')
    expect((await template())?.spec).toEqual(original?.spec)
    await readyWebPods(3)
  })

  test('pulls the plug of a node under load: the page stays up and the pods move', async () => {
    const load = hammer('/whoami')
    expect(cluster.dinghy('node', 'stop', 'node-2').code).toBe(0)
    await until('node-2 NotReady', async () => {
      const { status } = await cluster.core.readNode({ name: 'node-2' })
      return status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'Unknown')
    })
    await until('three Ready pods elsewhere', async () => {
      const ready = (await webPods()).filter(isReady)
      return ready.length === 3 && ready.every(({ spec }) => spec?.nodeName !== 'node-2')
    })
    const before = load.answered()
    await until('more answers', () => load.answered() > before + 20)
    await load.stop()
    expect(cluster.dinghy('node', 'start', 'node-2').code).toBe(0)
    await until('node-2 Ready', async () => {
      const { status } = await cluster.core.readNode({ name: 'node-2' })
      return status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')
    })
  })

  test('kills the api-server while writing: no acknowledged write is lost', async () => {
    const acknowledged: string[] = []
    const write = async (name: string) => {
      await cluster.core.createNamespacedConfigMap({
        namespace: 'default',
        body: { metadata: { name }, data: { name } },
      })
      acknowledged.push(name)
    }
    const pid = cluster.pid('api-server')
    let next = 0
    await until('forty acknowledged writes around the kill', async () => {
      if (acknowledged.length === 20 && next < 1000) {
        process.kill(pid, 'SIGKILL')
        next = 1000
      }
      await write(`kept-${next++}`)
      return acknowledged.length >= 40
    })
    const { items } = await cluster.core.listNamespacedConfigMap({ namespace: 'default' })
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(expect.arrayContaining(acknowledged))
    expect(cluster.pid('api-server')).not.toBe(pid)
  })

  test.each(['scheduler', 'controller', 'runtime', 'node-agent-node-1', 'proxy-node-1'])(
    'kills %s: no container dies and the cluster heals',
    async (component) => {
      const filters = { label: ['io.kubernetes.container.name'], name: ['guestbook', 'web', 'api'] }
      const running = async () => (await cluster.engine.listContainers({ filters })).map(({ Id }) => Id).toSorted()
      const before = await running()
      const pid = cluster.pid(component)
      process.kill(pid, 'SIGKILL')
      await until(`${component} again`, () => cluster.status().ready && cluster.pid(component) !== pid)
      // A kept connection to a killed runtime may break once; the next one is new.
      expect(await until('an answer of the runtime', running)).toEqual(before)
      await until('the page', async () => (await page('/')).status === 200)
      // The restarted component does its work: a new pod becomes Ready and goes away.
      const name = `after-${component}`
      expect(cluster.kubectl(['run', name, '--image=busybox', '--restart=Never', '--', 'sleep', '1000']).code).toBe(0)
      await until(`pod ${name}`, async () =>
        isReady(await cluster.core.readNamespacedPod({ namespace: 'default', name })),
      )
      expect(cluster.kubectl(['delete', 'pod', name, '--now']).code).toBe(0)
    },
  )

  test('stops the cluster and resumes it with everything still there', async () => {
    expect(cluster.dinghy('down').code).toBe(0)
    cluster.up()
    await readyWebPods(3)
    await until('the page', async () => (await page('/')).status === 200)
    const { items } = await cluster.core.listNamespacedConfigMap({ namespace: 'default' })
    expect(items.map(({ metadata }) => metadata?.name)).toContain('kept-0')
  })
})

test.runIf(isInstalled('kubectl'))('kubectl explains, describes and lists what is there', () => {
  expect(cluster.kubectl(['explain', 'deployment.spec.strategy']).stdout).toContain('rollingUpdate')
  expect(cluster.kubectl(['api-resources']).stdout).toMatch(/deployments +deploy +apps\/v1 +true +Deployment/)
  expect(cluster.kubectl(['describe', 'deployment', 'web']).stdout).toContain('ScalingReplicaSet')
  expect(cluster.kubectl(['get', 'pods', '-o', 'wide', '-l', webSelector]).stdout).toMatch(/1\/1 +Running/)
})

/** Asks for a page again and again until stopped; failures are retried, as a browser's user would. */
function hammer(path: string) {
  let answered = 0
  const stopping = new AbortController()
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      // A failure is no answer, and the answers are what is counted.
      const response = await page(path, { signal: AbortSignal.timeout(3000) }).catch(() => undefined)
      if (response?.status === 200) answered++
    }
  })()
  return {
    answered: () => answered,
    stop: async () => {
      stopping.abort()
      await loop
    },
  }
}
