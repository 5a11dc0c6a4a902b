import { describe, expect, test } from 'vitest'
import type { Draft, Endpoints, EndpointSlice, Service } from '@dinghy/shared/api/types'
import { metaOf } from '../testing/objects.ts'
import { isMirrored, planMirror } from './mirror-plan.ts'

function makeEndpoints(subsets: Endpoints['subsets'], metadata: Partial<Endpoints['metadata']> = {}): Endpoints {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: metaOf('outside', metadata),
    ...(subsets ? { subsets } : {}),
  }
}
function service(selector?: Record<string, string>): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metaOf('outside'),
    spec: selector ? { selector } : {},
    status: {},
  }
}
function stored({ metadata, ...rest }: Draft<EndpointSlice>): EndpointSlice {
  return {
    ...rest,
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metaOf('slice'), labels: metadata.labels ?? {} },
  }
}

describe('isMirrored', () => {
  test.each([
    ['of a Service without a selector', {}, service(), true],
    ['of a Service with one', {}, service({ app: 'web' }), false],
    ['without a Service', {}, undefined, false],
    ['that say no', { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }, service(), false],
    ['of a leader election', { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }, service(), false],
  ])('Endpoints %s', (_name, metadata, owner, expected) => {
    expect(isMirrored(makeEndpoints([], metadata), owner)).toBe(expected)
  })
})

describe('planMirror', () => {
  const endpoints = makeEndpoints([
    { addresses: [{ ip: '10.0.0.1' }], notReadyAddresses: [{ ip: '10.0.0.2' }], ports: [{ port: 5432 }] },
    { addresses: [{ ip: '10.0.0.3', hostname: 'db' }], ports: [{ name: 'sql', port: 3306 }] },
  ])

  test('makes a slice of each subset', () => {
    const { create } = planMirror(endpoints, [])
    expect(create.map(({ endpoints, ports }) => ({ endpoints, ports }))).toEqual([
      {
        endpoints: [
          { addresses: ['10.0.0.1'], conditions: { ready: true } },
          { addresses: ['10.0.0.2'], conditions: { ready: false } },
        ],
        ports: [{ name: '', port: 5432, protocol: 'TCP' }],
      },
      {
        endpoints: [{ addresses: ['10.0.0.3'], conditions: { ready: true }, hostname: 'db' }],
        ports: [{ name: 'sql', port: 3306, protocol: 'TCP' }],
      },
    ])
    expect(create[0]?.metadata).toMatchObject({
      generateName: 'outside-',
      labels: {
        'kubernetes.io/service-name': 'outside',
        'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
      },
      ownerReferences: [{ kind: 'Endpoints', name: 'outside' }],
    })
  })

  test('is quiet when nothing has changed, and changes no more than it must', () => {
    const slices = planMirror(endpoints, []).create.map(stored)
    expect(planMirror(endpoints, slices)).toEqual({ create: [], update: [], remove: [] })
    const [first] = endpoints.subsets ?? []
    const fewer = makeEndpoints([{ ...first, notReadyAddresses: [] }])
    const plan = planMirror(fewer, slices)
    expect(plan.create).toEqual([])
    expect(plan.remove).toEqual([slices[1]])
    expect(plan.update.map(({ endpoints }) => endpoints.length)).toEqual([1])
  })

  test('cuts what is too long for one slice', () => {
    const addresses = Array.from({ length: 150 }, (_, n) => ({ ip: `10.0.1.${n}` }))
    const { create } = planMirror(makeEndpoints([{ addresses, ports: [{ port: 80 }] }]), [])
    expect(create.map(({ endpoints }) => endpoints.length)).toEqual([100, 50])
  })
})
