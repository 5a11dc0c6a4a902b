/**
 * The table of Services in a real kernel: packets of pods, of the node itself and of a machine outside. Skipped where
 * there can be no network namespaces.
 */

import { spawnSync } from 'node:child_process'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../rules/endpoints.ts'
import type { ServicePortInfo } from '../rules/service-info.ts'
import { clusterCidr, labMissing, nodeAddress, outsideAddress, NetworkLab } from '../testing/network-lab.ts'
import { KernelTable } from './kernel-table.ts'
import { NftablesProxier } from './nftables-proxier.ts'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const a: Backend = { address: '10.244.1.2', port: 8080, node: 'n1' }
const b: Backend = { address: '10.244.1.3', port: 8080, node: 'n1' }
const missing = labMissing()

function info(more: Partial<ServicePortInfo> & { service?: string } = {}): ServicePortInfo {
  const backends = more.backends ?? [a, b]
  return {
    service: 'shop/web',
    portName: 'http',
    protocol: 'TCP',
    clusterIPs: ['10.96.0.10'],
    externalIPs: [],
    loadBalancerIPs: [],
    port: 80,
    sourceRanges: [],
    internalPolicy: 'Cluster',
    externalPolicy: 'Cluster',
    backends,
    backendsOfNodes: backends,
    ...more,
  }
}

describe.skipIf(missing !== undefined)(`in a real kernel${missing ? ` (${missing})` : ''}`, () => {
  let lab: NetworkLab
  let proxier: NftablesProxier
  let clock: FakeClock
  let stop: AbortController

  beforeAll(async () => {
    lab = new NetworkLab()
    lab.addPod('a', 2)
    lab.addPod('b', 3)
    await Promise.all([lab.serve('a', 't8080', 'u8080'), lab.serve('b', 't8080', 'u8080')])
  })
  afterAll(() => lab.close())
  beforeEach(async () => await begin())
  afterEach(() => stop.abort())

  function table(): KernelTable {
    return new KernelTable('dinghy-proxy', [...lab.at('node'), 'nft'])
  }
  async function begin(...ports: ServicePortInfo[]): Promise<void> {
    clock = new FakeClock()
    stop = new AbortController()
    proxier = new NftablesProxier({
      node: { name: 'n1', address: nodeAddress },
      clusterCidr,
      clock,
      log: quiet,
      table: table(),
    })
    await proxier.start(
      ports.map((port) => ({ service: port.service, ports: [port] })),
      stop.signal,
    )
  }
  async function serve(...ports: ServicePortInfo[]): Promise<void> {
    const service = ports[0]?.service ?? 'shop/web'
    await proxier.apply(service, { service, ports })
  }
  function nft(...words: string[]): string {
    const [program, ...args] = [...lab.at('node'), 'nft', ...words]
    return spawnSync(program, args, { encoding: 'utf8' }).stdout
  }

  test('a pod reaches every backend, itself too, with its own address; so does the node', async () => {
    await serve(info())
    const heard = await lab.ask('a', '10.96.0.10:80', { times: 30 })
    // By way of the Service it meets itself as the node's gateway: else the answer would not come back this way.
    expect(new Set(heard)).toEqual(new Set(['a saw 10.244.1.1', 'b saw 10.244.1.2']))
    const fromNode = await lab.ask('node', '10.96.0.10:80', { times: 20 })
    expect(new Set(fromNode.map((one) => one[0]))).toEqual(new Set(['a', 'b']))
  })

  test('from outside: the node port, external and load-balancer addresses, answered through the node', async () => {
    await serve(info({ nodePort: 30080, externalIPs: ['172.30.9.200'], backends: [a] }))
    for (const address of [`${nodeAddress}:30080`, '172.30.9.200:80', '10.96.0.10:80']) {
      expect([address, await lab.ask('out', address)]).toEqual([address, ['a saw 10.244.1.1']])
    }
    expect(await lab.ask('b', `${nodeAddress}:30080`)).toEqual(['a saw 10.244.1.1'])
  })

  test('a policy of external Local keeps the address of the client, and drops where no endpoint is', async () => {
    const local = { externalPolicy: 'Local' as const, nodePort: 30080, loadBalancerIPs: ['172.30.9.200'] }
    await serve(info({ ...local, backends: [a, b], backendsOfNodes: [a, { ...b, node: 'n2' }] }))
    const heard = await lab.ask('out', `${nodeAddress}:30080`, { times: 10 })
    expect(new Set(heard)).toEqual(new Set([`a saw ${outsideAddress}`]))
    await serve(info({ ...local, backends: [b], backendsOfNodes: [{ ...b, node: 'n2' }] }))
    expect(await lab.ask('out', '172.30.9.200:80')).toEqual(['dropped'])
    expect(await lab.ask('a', '172.30.9.200:80')).toEqual(['b saw 10.244.1.2'])
  })

  test('a policy of internal Local drops where no endpoint is', async () => {
    await serve(info({ internalPolicy: 'Local', backends: [b], backendsOfNodes: [{ ...b, node: 'n2' }] }))
    expect(await lab.ask('a', '10.96.0.10:80')).toEqual(['dropped'])
    await serve(info({ internalPolicy: 'Local', backends: [a, b], backendsOfNodes: [{ ...a, node: 'n2' }, b] }))
    expect(new Set(await lab.ask('a', '10.96.0.10:80', { times: 8 }))).toEqual(new Set(['b saw 10.244.1.2']))
  })

  test('a Service without endpoints refuses, at every address; so does a port that it does not have', async () => {
    await serve(info({ backends: [], nodePort: 30080, externalIPs: ['172.30.9.200'] }))
    expect(await lab.ask('a', '10.96.0.10:80')).toEqual(['refused'])
    expect(await lab.ask('node', '10.96.0.10:80')).toEqual(['refused'])
    expect(await lab.ask('out', `${nodeAddress}:30080`)).toEqual(['refused'])
    expect(await lab.ask('out', '172.30.9.200:80')).toEqual(['refused'])
    await serve(info())
    expect(await lab.ask('a', '10.96.0.10:81')).toEqual(['refused'])
  })

  test('session affinity keeps a client with its backend, also over a restart of the proxy', async () => {
    const sticky = info({ affinityMs: 60_000 })
    await serve(sticky)
    const before = await lab.ask('a', '10.96.0.10:80', { times: 8 })
    expect(new Set(before).size).toBe(1)
    stop.abort()
    await begin(sticky, info({ service: 'shop/other', clusterIPs: ['10.96.0.11'] }))
    expect(new Set(await lab.ask('a', '10.96.0.10:80', { times: 8 }))).toEqual(new Set(before))
    // Its backend goes, and the client with it.
    const kept = before[0]?.startsWith('a') ? b : a
    await serve(info({ affinityMs: 60_000, backends: [kept] }))
    expect((await lab.ask('a', '10.96.0.10:80'))[0]?.[0]).toBe(kept === a ? 'a' : 'b')
  })

  test('source ranges close the addresses of a load balancer, and nothing else', async () => {
    const open = { loadBalancerIPs: ['172.30.9.200'], nodePort: 30080, backends: [a] }
    await serve(info({ ...open, sourceRanges: ['192.0.2.0/24', '172.30.9.0/24', '172.30.0.0/16'] }))
    expect(await lab.ask('out', '172.30.9.200:80')).toEqual(['a saw 10.244.1.1'])
    await serve(info({ ...open, sourceRanges: ['192.0.2.0/24'] }))
    expect(await lab.ask('out', '172.30.9.200:80')).toEqual(['dropped'])
    expect(await lab.ask('out', `${nodeAddress}:30080`)).toEqual(['a saw 10.244.1.1'])
  })

  test('several ports and protocols; a UDP client whose backend is gone comes to another', async () => {
    const dns = info({ protocol: 'UDP', port: 53, portName: 'dns', backends: [a] })
    await serve(info({ backends: [b] }), dns)
    expect(await lab.ask('b', '10.96.0.10:53', { protocol: 'udp', localPort: 4000 })).toEqual(['a saw 10.244.1.3'])
    expect(await lab.ask('a', '10.96.0.10:80')).toEqual(['b saw 10.244.1.2'])
    await serve(info({ backends: [b] }), { ...dns, backends: [b] })
    const heard = await lab.ask('b', '10.96.0.10:53', { protocol: 'udp', localPort: 4000, times: 3 })
    expect(heard).toEqual(['dropped', 'b saw 10.244.1.1', 'b saw 10.244.1.1'])
  })

  test('a new process takes over what is there, and removes what is gone', async () => {
    await serve(info({ affinityMs: 5_000 }))
    await serve(info({ service: 'shop/old', clusterIPs: ['10.96.0.12'] }))
    stop.abort()
    await begin(info())
    expect(await lab.ask('a', '10.96.0.12:80')).not.toEqual(['b saw 10.244.1.2'])
    const text = nft('list', 'table', 'ip', 'dinghy-proxy')
    expect(text).not.toMatch(/shop\/old|affinity|endpoint\//)
    expect(text).toContain('chain service/shop/web/tcp/http')
  })

  test('a table that somebody removed comes back', async () => {
    await serve(info({ backends: [b] }))
    nft('flush', 'ruleset')
    expect(await lab.ask('a', '10.96.0.10:80')).not.toEqual(['b saw 10.244.1.2'])
    await clock.advance(10_000)
    await expect.poll(() => nft('list', 'table', 'ip', 'dinghy-proxy')).toContain('service/shop/web')
    expect(await lab.ask('a', '10.96.0.10:80')).toEqual(['b saw 10.244.1.2'])
  })

  test('what the kernel refuses rejects, and changes nothing', async () => {
    await serve(info({ backends: [b] }))
    await expect(serve(info({ clusterIPs: ['not an address'] }))).rejects.toThrow(/nft|Error/)
    expect(await lab.ask('a', '10.96.0.10:80')).toEqual(['b saw 10.244.1.2'])
  })
})
