import { expect, test } from 'vitest'
import type { ContainerInspect, ContainerSummary } from '@dinghy/shared/docker/types'
import { label } from '../observed/labels.ts'
import { container, pod } from '../testing/objects.ts'
import { CniNetwork } from './cni-network.ts'

const signal = new AbortController().signal
const withPort = pod({ containers: [container({ ports: [{ containerPort: 80, hostPort: 8080 }] })] })

/** A node whose routes are those of the scripts that were run. */
function newNode(options: { hasNft?: boolean; sandboxes?: Partial<ContainerSummary>[]; fail?: string } = {}) {
  const scripts: string[] = []
  const routes: string[] = []
  const network = new CniNetwork({
    docker: {
      inspectContainer: async () => ({ State: { Pid: 42 } }) as ContainerInspect,
      listContainers: async () => (options.sandboxes ?? []) as ContainerSummary[],
    },
    node: 'node-1',
    podCidr: '10.244.1.0/24',
    namespaceFile: '/run/node-1',
    hasNft: () => options.hasNft ?? true,
    readRoutes: () => routes.join('\n'),
    run: async (script) => {
      scripts.push(script)
      if (options.fail !== undefined) return { code: 2, stderr: options.fail }
      for (const [, address = '', link] of script.matchAll(/route add (\S+) dev (veth\S+)/g)) {
        routes.push(routeOf(link ?? '', address))
      }
      return { code: 0, stderr: '' }
    },
  })
  return { network, scripts, routes }
}

function routeOf(link: string, address: string): string {
  const hex = address
    .split('.')
    .toReversed()
    .map((part) => Number(part).toString(16).padStart(2, '0'))
  return [link, hex.join('').toUpperCase(), '00000000', '0005', 0, 0, 0, 'FFFFFFFF'].join('\t')
}

test('a pod is created without a network and plugged in; hostNetwork is the node’s', async () => {
  const { network, scripts } = newNode()
  expect(network.sandboxOf(pod())).toEqual({ mode: 'none' })
  expect(network.sandboxOf(pod({ hostNetwork: true }))).toEqual({ mode: 'ns:/run/node-1' })
  await network.plug(pod({ hostNetwork: true }), 'h'.repeat(64), signal)
  expect(scripts).toEqual([])
  await network.plug(pod(), 'a'.repeat(64), signal)
  expect(scripts[0]).toContain('nsenter --net=/proc/42/ns/net ip -batch')
  expect(network.addresses()('a'.repeat(64))).toBe('10.244.1.2')
  expect(network.addresses()('b'.repeat(64))).toBeUndefined()
})

test('pods that are plugged in at the same time get different addresses, and so does an agent that starts again', async () => {
  const { network, routes } = newNode()
  routes.push(routeOf('vethold', '10.244.1.2'))
  const ids = ['a', 'b', 'c'].map((letter) => letter.repeat(64))
  await Promise.all(ids.map((id) => network.plug(pod(), id, signal)))
  const addressOf = network.addresses()
  expect(ids.map(addressOf)).toEqual(['10.244.1.3', '10.244.1.4', '10.244.1.5'])
})

test('a failure says why, and its address is free again', async () => {
  const { network, routes } = newNode({ fail: 'RTNETLINK answers: File exists' })
  for (let last = 3; last <= 254; last++) routes.push(routeOf(`veth${last}`, `10.244.1.${last}`))
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(network.plug(pod(), 'a'.repeat(64), signal)).rejects.toThrow('RTNETLINK answers: File exists')
  }
  routes.push(routeOf('veth2', '10.244.1.2'))
  await expect(network.plug(pod(), 'a'.repeat(64), signal)).rejects.toThrow('no IP addresses available')
})

test('hostPorts are rules for all pods that have some, and go with their pods', async () => {
  const { network, scripts } = newNode()
  expect(network.sandboxOf(withPort).labels).toEqual({
    [label.hostPorts]: '[{"hostPort":8080,"containerPort":80,"protocol":"TCP"}]',
  })
  await network.plug(withPort, 'a'.repeat(64), signal)
  expect(scripts.at(-1)).toContain('tcp dport 8080 dnat to 10.244.1.2:80')
  expect(scripts.at(-1)).toContain('ip saddr 10.244.1.2 ip daddr 10.244.1.2 masquerade')
  await network.unplug('a'.repeat(64))
  expect(scripts.at(-1)).not.toContain('8080')
  const { length } = scripts
  await network.unplug('a'.repeat(64))
  expect(scripts).toHaveLength(length)
})

test('the next agent knows the hostPorts of the one before it', async () => {
  const Id = 'd'.repeat(64)
  const { network, scripts, routes } = newNode({
    sandboxes: [{ Id, Labels: { [label.hostPorts]: '[{"hostPort":53,"containerPort":5353,"protocol":"UDP"}]' } }],
  })
  routes.push(routeOf('vethddddddddddd', '10.244.1.9'))
  await network.prepare(signal)
  await network.plug(withPort, 'a'.repeat(64), signal)
  expect(scripts.at(-1)).toContain('udp dport 53 dnat to 10.244.1.9:5353')
})

test('without nft a hostPort is refused', async () => {
  const { network } = newNode({ hasNft: false })
  await expect(network.plug(withPort, 'a'.repeat(64), signal)).rejects.toThrow('a hostPort needs the program nft')
})
