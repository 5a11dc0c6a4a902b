import { describe, expect, test } from 'vitest'
import type { Draft, EndpointSlice, Pod, Service } from '@dinghy/shared/api/types'
import { at, makeNode, makePod, metaOf, type PodFacts } from '../testing/objects.ts'
import { planSlices, type SlicePlan } from './slice-plan.ts'

function makeService(spec: Partial<Service['spec']> = {}, metadata: Partial<Service['metadata']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metaOf('web', metadata),
    spec: { clusterIP: '10.0.0.1', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
    status: {},
  }
}

function servingPod(name: string, more: PodFacts = {}) {
  return makePod(name, { ip: '10.1.0.1', readyAt: 0, node: 'n1', ...more })
}
function podsNumbered(count: number) {
  return Array.from({ length: count }, (_, index) => servingPod(`pod-${index}`))
}
function noNode() {
  return undefined
}

function stored(draft: Draft<EndpointSlice>, name: string): EndpointSlice {
  const { addressType, endpoints, ports, metadata } = draft
  const { generateName: _generateName, ...meta } = metadata as EndpointSlice['metadata']
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metaOf(name), ...meta, name },
    addressType,
    endpoints,
    ...(ports ? { ports } : {}),
  }
}

/** The slices after the plan has been carried out. */
function carriedOut(existing: EndpointSlice[], plan: SlicePlan): EndpointSlice[] {
  const kept = existing.filter((slice) => !plan.remove.includes(slice))
  const updated = kept.map((slice) => plan.update.find(({ metadata }) => metadata.uid === slice.metadata.uid) ?? slice)
  return [...updated, ...plan.create.map((draft, index) => stored(draft, `new-${index}-${existing.length}`))]
}

function counts(slices: { endpoints: unknown[] }[]) {
  return slices.map(({ endpoints }) => endpoints.length).sort((a, b) => a - b)
}
const quiet = { create: [], update: [], remove: [] }

describe('an endpoint', () => {
  function endpointOf(pod: Pod, spec: Partial<Service['spec']> = {}) {
    const node = makeNode('n1', { metadata: { labels: { 'topology.kubernetes.io/zone': 'west' } } })
    const plan = planSlices(makeService(spec), [pod], [], (name) => (name === 'n1' ? node : undefined))
    return plan.create[0]?.endpoints[0]
  }

  test('is hinted to its own zone where traffic is to stay close, while it is ready', () => {
    const close = { trafficDistribution: 'PreferClose' }
    expect(endpointOf(servingPod('a'), close)?.hints).toEqual({ forZones: [{ name: 'west' }] })
    expect(endpointOf(servingPod('a'))?.hints).toBeUndefined()
    expect(endpointOf(makePod('a', { ip: '10.1.0.1', node: 'n1' }), close)?.hints).toBeUndefined()
    expect(endpointOf(servingPod('a', { node: 'n2' }), close)?.hints).toBeUndefined()
  })

  test('says where the pod is and who it is', () => {
    const pod = servingPod('a')
    expect(endpointOf(pod)).toEqual({
      addresses: ['10.1.0.1'],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'n1',
      zone: 'west',
      targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: pod.metadata.uid },
    })
  })

  test('has a hostname only under the Service that is its subdomain', () => {
    expect(endpointOf(servingPod('a', { spec: { hostname: 'a', subdomain: 'web' } }))?.hostname).toBe('a')
    expect(endpointOf(servingPod('a', { spec: { hostname: 'a', subdomain: 'db' } }))?.hostname).toBeUndefined()
  })

  const dying = { metadata: { deletionTimestamp: at(9) } }
  test.each([
    ['ready', {}, false, [true, true, false]],
    ['terminating but still serving', dying, false, [false, true, true]],
    ['terminating and no longer serving', { ...dying, readyAt: undefined }, false, [false, false, true]],
    ['terminating, published whatever', { ...dying, readyAt: undefined }, true, [true, false, true]],
  ])('%s', (_name, facts, publishNotReadyAddresses, [ready, serving, terminating]) => {
    const pod = servingPod('a', facts)
    expect(endpointOf(pod, { publishNotReadyAddresses })?.conditions).toEqual({ ready, serving, terminating })
  })

  test.each([
    ['finished', { phase: 'Succeeded' }],
    ['failed', { phase: 'Failed' }],
  ])('is not made of a pod that is %s', (_name, facts) => expect(endpointOf(servingPod('a', facts))).toBeUndefined())

  test('is not made of a pod without an address', () =>
    expect(endpointOf(makePod('a', { readyAt: 0 }))).toBeUndefined())
})

describe('ports', () => {
  const named = (port: number) => ({
    spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }] },
  })
  const ports = [{ name: 'web', port: 80, targetPort: 'http', appProtocol: 'h2c' }]

  test('are those of the pod: one slice for each answer to a name', () => {
    const pods = [servingPod('old', named(8080)), servingPod('new', named(9090)), servingPod('newer', named(9090))]
    const { create } = planSlices(makeService({ ports }), pods, [], noNode)
    expect(create.map(({ ports, endpoints }) => [ports, endpoints.length])).toEqual([
      [[{ name: 'web', port: 8080, protocol: 'TCP', appProtocol: 'h2c' }], 1],
      [[{ name: 'web', port: 9090, protocol: 'TCP', appProtocol: 'h2c' }], 2],
    ])
  })

  test('include those of sidecars, but not of other init containers', () => {
    const init = (restartPolicy?: string) => ({ name: 'i', ports: [{ name: 'http', containerPort: 1 }], restartPolicy })
    const podWith = (one: ReturnType<typeof init>) => servingPod('a', { spec: { initContainers: [one] } })
    expect(planSlices(makeService({ ports }), [podWith(init('Always'))], [], noNode).create[0]?.ports).toHaveLength(1)
    expect(planSlices(makeService({ ports }), [podWith(init())], [], noNode).create[0]?.ports).toEqual([])
  })

  test('follow the port itself when there is no target', () => {
    const { create } = planSlices(makeService({ ports: [{ port: 80 }] }), [servingPod('a')], [], noNode)
    expect(create[0]?.ports).toEqual([{ name: '', port: 80, protocol: 'TCP' }])
  })
})

describe('planSlices', () => {
  const service = makeService({}, { labels: { team: 'blue' } })
  const plan = (pods: Pod[], existing: EndpointSlice[]) => planSlices(service, pods, existing, noNode)

  test('labels and owns its slices', () => {
    const [slice] = plan([servingPod('a')], []).create as [Draft<EndpointSlice>]
    const { metadata } = slice
    expect(slice.addressType).toBe('IPv4')
    expect(metadata).toMatchObject({ generateName: 'web-', namespace: 'default' })
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'Service', name: 'web', controller: true }])
    expect(metadata.labels).toEqual({
      team: 'blue',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    })
    const headless = planSlices(makeService({ clusterIP: 'None' }), [], [], noNode).create[0]
    expect(headless?.metadata.labels).toMatchObject({ 'service.kubernetes.io/headless': '' })
  })

  test('is quiet when everything is as it should be', () => {
    for (const pods of [[], podsNumbered(3), podsNumbered(250)]) {
      const slices = carriedOut([], plan(pods, []))
      expect(plan(pods, slices)).toEqual(quiet)
    }
  })

  test('puts at most 100 endpoints into a slice', () => {
    expect(counts(plan(podsNumbered(250), []).create)).toEqual([50, 100, 100])
  })

  test('puts new endpoints into the fullest slice with room', () => {
    const pods = podsNumbered(160)
    const slices = [...carriedOut([], plan(pods.slice(0, 90), [])), ...carriedOut([], plan(pods.slice(90, 150), []))]
    const next = plan(pods.slice(0, 155), slices)
    expect(next.update.map(({ metadata }) => metadata.uid)).toEqual([slices[0]?.metadata.uid])
    expect(counts(carriedOut(slices, next))).toEqual([60, 95])
    expect(counts(carriedOut(slices, plan([...pods, ...podsNumbered(1)], slices)))).toEqual([71, 90])
  })

  test('puts new endpoints into slices that change anyway', () => {
    const pods = podsNumbered(150)
    const slices = [...carriedOut([], plan(pods.slice(0, 90), [])), ...carriedOut([], plan(pods.slice(90), []))]
    const next = plan([...pods.slice(0, 149), servingPod('new')], slices)
    expect(next.update.map(({ metadata }) => metadata.uid)).toEqual([slices[1]?.metadata.uid])
    expect(counts(next.update)).toEqual([60])
  })

  test('changes an endpoint in place', () => {
    const pod = servingPod('a')
    const slices = carriedOut([], plan([pod, servingPod('b')], []))
    const next = plan([{ ...pod, status: { ...pod.status, conditions: [] } }], slices)
    expect(next.update).toHaveLength(1)
    expect(next.update[0]?.endpoints.map(({ conditions }) => conditions?.ready)).toEqual([false])
  })

  test('removes a slice that has become empty', () => {
    const pods = podsNumbered(101)
    const slices = carriedOut([], plan(pods, []))
    const { remove, update, create } = plan(pods.slice(0, 100), slices)
    expect([counts(remove), update, create]).toEqual([[1], [], []])
  })

  test('keeps an empty slice where there are no endpoints, and fills it later', () => {
    const empty = carriedOut([], plan([], []))
    expect(empty).toMatchObject([{ endpoints: [], ports: [] }])
    const filled = plan([servingPod('a')], empty)
    expect([filled.create, filled.remove]).toEqual([[], []])
    expect(filled.update).toMatchObject([{ metadata: { name: empty[0]?.metadata.name }, ports: [{ port: 8080 }] }])
    expect(filled.update[0]?.endpoints).toHaveLength(1)
    const emptied = carriedOut([], plan([servingPod('a')], []))
    expect(carriedOut(emptied, plan([], emptied))).toMatchObject([{ endpoints: [], ports: [] }])
  })

  test('follows the labels of the Service', () => {
    const slices = carriedOut([], plan([servingPod('a')], []))
    const pods =
      slices[0]?.endpoints.map(({ targetRef }) => servingPod('a', { metadata: { uid: targetRef?.uid ?? '' } })) ?? []
    const relabelled = { ...service, metadata: { ...service.metadata, labels: { team: 'red' } } }
    const { update } = planSlices(relabelled, pods, slices, noNode)
    expect(update[0]?.metadata.labels).toMatchObject({ team: 'red' })
  })
})
