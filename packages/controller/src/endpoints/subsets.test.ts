import { describe, expect, test } from 'vitest'
import type { Service } from '@dinghy/shared/api/types'
import { at, makePod, metaOf, type PodFacts } from '../testing/objects.ts'
import { endpointsLabels, subsetsOf, truncated } from './subsets.ts'

function service(spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metaOf('web', { labels: { team: 'blue' } }),
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
    status: {},
  }
}
function pod(name: string, ip: string, port: number, more: PodFacts = {}) {
  return makePod(name, {
    ip,
    readyAt: 0,
    spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }] },
    ...more,
  })
}
function ipsOf(subsets: ReturnType<typeof subsetsOf>) {
  return subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }) => [
    addresses.map(({ ip }) => ip).join(),
    notReadyAddresses.map(({ ip }) => ip).join(),
    ports.map(({ port }) => port).join(),
  ])
}

describe('subsetsOf', () => {
  test('groups by ports and splits by readiness, in a stable order', () => {
    const pods = [
      pod('b', '10.0.0.2', 8080),
      pod('a', '10.0.0.1', 8080),
      pod('starting', '10.0.0.3', 8080, { readyAt: undefined }),
      pod('new', '10.0.0.4', 9090),
    ]
    const expected = [
      ['10.0.0.1,10.0.0.2', '10.0.0.3', '8080'],
      ['10.0.0.4', '', '9090'],
    ]
    expect(ipsOf(subsetsOf(service(), pods))).toEqual(expected)
    expect(ipsOf(subsetsOf(service(), pods.toReversed()))).toEqual(expected)
  })

  test('leaves terminating pods out, unless not ready ones are published', () => {
    const pods = [pod('a', '10.0.0.1', 80, { metadata: { deletionTimestamp: at(1) } })]
    expect(subsetsOf(service(), pods)).toEqual([])
    expect(ipsOf(subsetsOf(service({ publishNotReadyAddresses: true }), pods))).toEqual([['10.0.0.1', '', '80']])
  })

  test('leaves out a pod that lacks the named port, but not one of a headless Service without ports', () => {
    const pods = [makePod('a', { ip: '10.0.0.1', readyAt: 0 })]
    expect(subsetsOf(service(), pods)).toEqual([])
    const headless = service({ clusterIP: 'None', ports: [] })
    expect(ipsOf(subsetsOf(headless, pods))).toEqual([['10.0.0.1', '', '']])
  })

  test('names the pod and its node', () => {
    const one = pod('a', '10.0.0.1', 80, { node: 'n1' })
    expect(subsetsOf(service(), [one])).toEqual([
      {
        addresses: [
          {
            ip: '10.0.0.1',
            nodeName: 'n1',
            targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: one.metadata.uid },
          },
        ],
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      },
    ])
  })
})

describe('truncated', () => {
  const addresses = (count: number) => Array.from({ length: count }, (_, index) => ({ ip: `10.0.0.${index}` }))

  test('keeps ready addresses first', () => {
    const subsets = [{ addresses: addresses(2), notReadyAddresses: addresses(3) }, { addresses: addresses(2) }]
    const { subsets: cut, isCut } = truncated(subsets, 5)
    expect(isCut).toBe(true)
    expect(cut.map((subset) => [subset.addresses?.length, subset.notReadyAddresses?.length])).toEqual([
      [2, 1],
      [2, undefined],
    ])
  })

  test('leaves alone what fits', () => {
    const subsets = [{ addresses: addresses(5) }]
    expect(truncated(subsets, 5)).toEqual({ subsets, isCut: false })
  })
})

describe('endpointsLabels', () => {
  test('are those of the Service and the mark of this controller', () => {
    expect(endpointsLabels(service())).toEqual({
      team: 'blue',
      'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
    })
  })
})
