import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubernetesObject, Service } from '@dinghy/shared/api/types'
import { pickFree } from './service-allocators.ts'
import { storeFixture } from '../testing/store-fixture.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(() => (fixture = storeFixture()))
afterEach(() => fixture.storage.close())

function service(name: string, spec: object = {}) {
  return {
    metadata: { name },
    spec: { ports: [{ port: 80, protocol: 'TCP' }], ...spec },
  }
}
async function create(name: string, spec?: object) {
  return (await fixture.create('services', service(name, spec))) as Service
}
async function change(name: string, edit: (service: Service) => void) {
  const { store, definition, context } = fixture
  const make = (current: KubernetesObject) => {
    edit(current as Service)
    return current
  }
  const { entry } = await store.update(definition('services'), { namespace: 'default', name }, make, context)
  return entry.object as Service
}

describe('cluster IPs', () => {
  test('each Service gets its own, out of the upper band', async () => {
    const names = Array.from({ length: 50 }, (_, i) => `s${i}`)
    const services = await Promise.all(names.map((name) => create(name)))
    const addresses = new Set(services.map(({ spec }) => spec.clusterIP))
    expect(addresses.size).toBe(50)
    for (const address of addresses) expect(Number(address?.split('.')[3])).toBeGreaterThan(16)
  })

  test.each([
    [{ clusterIP: 'None' }, 'None'],
    [{ clusterIP: '10.96.0.7' }, '10.96.0.7'],
    [{ type: 'ExternalName', externalName: 'example.com' }, undefined],
  ])('%o has %s', async (spec, address) => expect((await create('a', spec)).spec.clusterIP).toBe(address))

  test('a taken one is refused, until it is free again', async () => {
    await create('a', { clusterIP: '10.96.0.7' })
    await expect(create('b', { clusterIP: '10.96.0.7' })).rejects.toThrow(
      'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.7"]: failed to allocate IP 10.96.0.7: provided IP is already allocated',
    )
    const { store, definition, context } = fixture
    await store.delete(definition('services'), { namespace: 'default', name: 'a' }, {}, context)
    expect((await create('b', { clusterIP: '10.96.0.7' })).spec.clusterIPs).toEqual(['10.96.0.7'])
  })

  test('one of another network is refused', async () => {
    await expect(create('a', { clusterIP: '10.97.0.7' })).rejects.toThrow(
      'failed to allocate IP 10.97.0.7: provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/24',
    )
  })

  test('stays through updates that leave it out, and goes when the Service becomes an ExternalName', async () => {
    const { spec } = await create('a')
    const kept = await change('a', (next) => {
      delete next.spec.clusterIP
      delete next.spec.clusterIPs
      next.spec.ports = [{ port: 81, protocol: 'TCP' }]
    })
    expect(kept.spec.clusterIP).toBe(spec.clusterIP)
    const external = await change('a', (next) =>
      Object.assign(next.spec, { type: 'ExternalName', externalName: 'x.example' }),
    )
    expect(external.spec.clusterIP).toBeUndefined()
  })
})

describe('node ports', () => {
  const portsOf = ({ spec }: Service) => (spec.ports ?? []).map((port) => port.nodePort)

  test('each port gets its own', async () => {
    const ports = () => [80, 81, 82].map((port) => ({ name: `p${port}`, port, protocol: 'TCP' }))
    const [a, b] = await Promise.all([
      create('a', { type: 'NodePort', ports: ports() }),
      create('b', { type: 'LoadBalancer', ports: ports() }),
    ])
    const all = [...portsOf(a), ...portsOf(b)]
    expect(new Set(all).size).toBe(6)
    expect(all.every((port) => port !== undefined && port >= 30000 && port <= 30009)).toBe(true)
  })

  test('a taken one is refused', async () => {
    const ports = [{ port: 80, protocol: 'TCP', nodePort: 30003 }]
    await create('a', { type: 'NodePort', ports })
    await expect(create('b', { type: 'NodePort', ports })).rejects.toThrow(
      'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30003: provided port is already allocated',
    )
    expect(
      portsOf(await create('c', { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30003 }] })),
    ).toEqual([30003])
  })

  test('one outside the range is refused', async () => {
    const attempt = create('a', { type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: 80 }] })
    await expect(attempt).rejects.toThrow(
      'provided port is not in the valid range. The range of valid ports is 30000-30009',
    )
  })

  test('TCP and UDP of one port share a number', async () => {
    const ports = [
      { name: 'tcp', port: 53, protocol: 'TCP' },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ]
    const [tcp, udp] = portsOf(await create('dns', { type: 'NodePort', ports }))
    expect(tcp).toBe(udp)
  })

  test('are kept through updates and given back with the type', async () => {
    const before = portsOf(await create('a', { type: 'NodePort' }))
    const kept = await change('a', (next) => (next.spec.ports = [{ port: 80, protocol: 'TCP', name: 'renamed' }]))
    expect(portsOf(kept)).toEqual(before)
    expect(portsOf(await change('a', (next) => (next.spec.type = 'ClusterIP')))).toEqual([undefined])
  })

  test("two updates at once do not get in each other's way", async () => {
    const before = portsOf(await create('a', { type: 'NodePort' }))
    const label = (name: string) => change('a', (next) => (next.metadata.labels = { [name]: 'x' }))
    const updated = await Promise.all([label('one'), label('two')])
    for (const service of updated) expect(portsOf(service)).toEqual(before)
  })

  test('a load balancer that keeps to nodes with endpoints gets one more to ask at', async () => {
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }
    const first = (await create('a', spec)).spec.healthCheckNodePort
    expect(first).toBeGreaterThanOrEqual(30000)
    expect((await create('b', { ...spec, allocateLoadBalancerNodePorts: false })).spec.healthCheckNodePort).not.toBe(
      first,
    )
    expect((await create('c', { type: 'LoadBalancer' })).spec.healthCheckNodePort).toBeUndefined()
    await expect(create('d', { ...spec, healthCheckNodePort: first })).rejects.toThrow(
      `failed to allocate requested HealthCheck NodePort ${first}: provided port is already allocated`,
    )
    await expect(create('d', { ...spec, healthCheckNodePort: 80 })).rejects.toThrow('30000-30009')
    const kept = await change('a', (next) => delete next.spec.healthCheckNodePort)
    expect(kept.spec.healthCheckNodePort).toBe(first)
    const plain = await change('a', (next) => (next.spec.externalTrafficPolicy = 'Cluster'))
    expect(plain.spec.healthCheckNodePort).toBeUndefined()
  })

  test('run out', async () => {
    for (let i = 0; i < 10; i++) await create(`s${i}`, { type: 'NodePort' })
    await expect(create('last', { type: 'NodePort' })).rejects.toThrow('failed to allocate a nodePort: range is full')
  })
})

test.each([
  ['the upper band first', 0, 255, () => true, 0, 16],
  ['round the corner', 0, 255, (n: number) => n < 20, 0.9, 16],
  ['the lower band when the upper is full', 0, 255, (n: number) => n === 3, 0.5, 3],
  ['nothing', 0, 255, () => false, 0.5, undefined],
  ['a range too small for bands', 5, 9, (n: number) => n === 5, 0.5, 5],
])('picks %s', (_what, first, last, isFree, random, expected) => {
  expect(pickFree(first, last, isFree, () => random)).toBe(expected)
})
