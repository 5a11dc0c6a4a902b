import type { Service } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { created, definitionOf, problemsOf, problemsOfUpdate, warningsOf } from '../../testing/kind-fixture.ts'
import type { Loose } from '../../testing/kind-fixture.ts'
import { adaptToType } from '../service-type.ts'
import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'

function service(spec: object, annotations?: object) {
  return { metadata: { name: 'x', ...(annotations ? { annotations } : {}) }, spec: { ports: [{ port: 80 }], ...spec } }
}
function slice(endpoint: object, more: object = {}) {
  return { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'], ...endpoint }], ...more }
}
function subset(more: object) {
  return { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ...more }] }
}
function ports(...list: object[]) {
  return { ports: list.map((port) => ({ port: 80, ...port })) }
}
const linkLocal = 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'

describe('what is refused', () => {
  test.each<[string, object, string[]]>([
    ['services', service({}), []],
    ['services', service({ ports: [] }), ['spec.ports: Required value']],
    ['services', service({ clusterIP: 'None', ports: [] }), []],
    [
      'services',
      service({ clusterIP: 'None', type: 'NodePort' }),
      [`spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services`],
    ],
    [
      'services',
      service(ports({ name: 'a' }, { name: 'a', port: 81 }, { port: 80, protocol: 'QUIC' })),
      [
        'spec.ports[1].name: Duplicate value: "a"',
        'spec.ports[2].name: Required value',
        'spec.ports[2].protocol: Unsupported value: "QUIC": supported values: "SCTP", "TCP", "UDP"',
      ],
    ],
    [
      'services',
      service(ports({ name: 'a' }, { name: 'b' })),
      ['spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'],
    ],
    [
      'services',
      service({ type: 'NodePort', ...ports({ name: 'a', nodePort: 30000 }, { name: 'b', port: 81, nodePort: 30000 }) }),
      ['spec.ports[1].nodePort: Duplicate value: 30000'],
    ],
    [
      'services',
      service(ports({ nodePort: 30000 })),
      [`spec.ports[0].nodePort: Forbidden: may not be used when \`type\` is 'ClusterIP'`],
    ],
    [
      'services',
      service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } }),
      [
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400',
      ],
    ],
    [
      'services',
      service({ sessionAffinity: 'Cookie' }),
      ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
    ],
    [
      'services',
      service({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.2', 'x'] }),
      [
        'spec.clusterIPs: Invalid value: ["10.0.0.2","x"]: first value must match `clusterIP`',
        'spec.clusterIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      'services',
      service({ externalIPs: ['169.254.1.1', '0.0.0.0', 'x'] }),
      [
        `spec.externalIPs[0]: Invalid value: "169.254.1.1": ${linkLocal}`,
        'spec.externalIPs[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
        'spec.externalIPs[2]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      'services',
      service({ loadBalancerClass: 'a/b', allocateLoadBalancerNodePorts: false }),
      [
        `spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when \`type\` is 'LoadBalancer'`,
        `spec.loadBalancerClass: Forbidden: may only be used when \`type\` is 'LoadBalancer'`,
      ],
    ],
    [
      'services',
      service({ externalTrafficPolicy: 'Local' }),
      ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ],
    [
      'services',
      service({ type: 'NodePort', externalTrafficPolicy: 'Near', internalTrafficPolicy: 'Far' }),
      [
        'spec.externalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"',
        'spec.internalTrafficPolicy: Unsupported value: "Far": supported values: "Cluster", "Local"',
      ],
    ],
    [
      'services',
      service({ type: 'LoadBalancer', healthCheckNodePort: 30001 }),
      [
        `spec.healthCheckNodePort: Invalid value: 30001: may only be set when \`type\` is 'LoadBalancer' and \`externalTrafficPolicy\` is 'Local'`,
      ],
    ],
    [
      'services',
      service({ trafficDistribution: 'PreferFar' }),
      ['spec.trafficDistribution: Unsupported value: "PreferFar": supported values: "PreferClose"'],
    ],
    ['services', service({ type: 'ExternalName', ports: [] }), ['spec.externalName: Required value']],
    [
      'services',
      service({}, { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8' }),
      [
        `metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be used when \`type\` is 'LoadBalancer'`,
      ],
    ],
    [
      'services',
      service(
        {},
        { 'service.kubernetes.io/topology-aware-hints': 'Auto', 'service.kubernetes.io/topology-mode': 'Disabled' },
      ),
      [
        'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Disabled": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
      ],
    ],
    ['endpoints', subset({}), []],
    // A pod's own address, here.
    ['endpoints', subset({ addresses: [{ ip: '127.0.0.2' }] }), []],
    [
      'endpoints',
      subset({ addresses: [] }),
      ['subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`'],
    ],
    [
      'endpoints',
      subset({ addresses: [{ ip: '169.254.0.1', hostname: 'A' }], ports: [{ port: 0 }, { port: 1, name: 'a' }] }),
      [
        expect.stringMatching(/^subsets\[0\].addresses\[0\].hostname: Invalid value: "A": a lowercase RFC 1123 label/),
        `subsets[0].addresses[0].ip: Invalid value: "169.254.0.1": ${linkLocal}`,
        'subsets[0].ports[0].name: Required value',
        'subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    ['endpointslices', slice({}), []],
    ['endpointslices', { addressType: 'IPv4', endpoints: [] }, []],
    [
      'endpointslices',
      slice({ addresses: [] }),
      ['endpoints[0].addresses: Required value: must contain at least 1 address'],
    ],
    [
      'endpointslices',
      slice({ addresses: Array.from({ length: 101 }, (_, i) => `10.0.0.${i}`) }),
      ['endpoints[0].addresses: Too many: 101: must have at most 100 items'],
    ],
    [
      'endpointslices',
      slice({ addresses: ['a'] }, { addressType: 'FQDN' }),
      [
        'endpoints[0].addresses[0]: Invalid value: "a": should be a domain with at least two segments separated by dots',
      ],
    ],
    ['endpointslices', slice({ addresses: ['a.example.com.'] }, { addressType: 'FQDN' }), []],
    [
      'endpointslices',
      slice(
        { hints: { forZones: [{ name: 'a' }, { name: 'a' }] } },
        { ports: [{ port: 1 }, { port: 2, protocol: 'X' }] },
      ),
      [
        'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
        'ports[1].name: Duplicate value: ""',
        'ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
      ],
    ],
  ])('%s: %#', (resource, sent, messages) => {
    expect(problemsOf(resource, sent)).toEqual(messages)
  })
})

test.each<[object, (object: Loose) => void, string[]]>([
  [
    { clusterIP: '10.0.0.1' },
    (o) => Object.assign(o.spec, { clusterIP: '10.0.0.2', clusterIPs: ['10.0.0.2'] }),
    ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
  ],
  [
    { clusterIP: '10.0.0.1' },
    (o) => Object.assign(o.spec, { clusterIP: '', clusterIPs: [] }),
    ['spec.clusterIPs[0]: Invalid value: []: primary clusterIP can not be unset'],
  ],
  [
    { type: 'LoadBalancer', loadBalancerClass: 'a/b' },
    (o) => Object.assign(o.spec, { loadBalancerClass: 'a/c' }),
    ['spec.loadBalancerClass: Invalid value: "a/c": may not change once set'],
  ],
  [
    { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30001 },
    (o) => Object.assign(o.spec, { healthCheckNodePort: 30002 }),
    ['spec.healthCheckNodePort: Forbidden: field is immutable'],
  ],
])('a Service may not change so: %#', (spec, change, messages) => {
  expect(problemsOfUpdate('services', service(spec), change)).toEqual(messages)
})

test('a Service loses with its type what the type had, unless it was changed', () => {
  const before = created(
    'services',
    service({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 30001,
      ...ports({ name: 'a', nodePort: 30002 }, { name: 'b', port: 81, nodePort: 30003 }),
    }),
  ) as unknown as Service
  before.status = { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } }
  const plain = structuredClone(before)
  plain.spec.type = 'ClusterIP'
  plain.spec.ports?.pop()
  adaptToType(plain, before)
  expect(plain.spec.ports).toEqual([{ name: 'a', port: 80, protocol: 'TCP', targetPort: 80 }])
  for (const field of ['externalTrafficPolicy', 'healthCheckNodePort', 'allocateLoadBalancerNodePorts']) {
    expect(plain.spec).not.toHaveProperty(field)
  }
  expect(plain.status.loadBalancer).toEqual({})

  const wide = structuredClone(before)
  wide.spec.externalTrafficPolicy = 'Cluster'
  adaptToType(wide, before)
  expect(wide.spec.healthCheckNodePort).toBeUndefined()
  expect(wide.status.loadBalancer?.ingress).toHaveLength(1)
})

describe('statuses', () => {
  const both = { ip: 'x', hostname: '1.2.3.4' }
  test.each<[string, object, object, string[]]>([
    [
      'services',
      service({}),
      { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } },
      [`status.loadBalancer.ingress: Forbidden: may only be used when \`spec.type\` is 'LoadBalancer'`],
    ],
    [
      'services',
      service({ type: 'LoadBalancer' }),
      {
        loadBalancer: {
          ingress: [
            { ...both, ipMode: 'Near' },
            { hostname: 'a', ipMode: 'VIP' },
          ],
        },
      },
      [
        'status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        'status.loadBalancer.ingress[0].ipMode: Unsupported value: "Near": supported values: "Proxy", "VIP"',
        'status.loadBalancer.ingress[1].ipMode: Forbidden: may not be specified when `ip` is not set',
      ],
    ],
    [
      'ingresses',
      { spec: {} },
      { loadBalancer: { ingress: [both] } },
      [
        'status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
      ],
    ],
  ])('%s: %#', (resource, sent, status, messages) => {
    const previous = created(resource, sent)
    const next = { ...structuredClone(previous), status }
    const errors = definitionOf(resource).strategy.validateStatusUpdate?.(next, previous) ?? []
    expect(errors.map(fieldErrorMessage)).toEqual(messages)
  })
})

describe('warnings', () => {
  test.each<[string, object, string[]]>([
    ['services', service({}), []],
    [
      'services',
      service(
        { clusterIP: 'None', loadBalancerIP: '1.2.3.4', externalIPs: ['1.2.3.4'], sessionAffinity: 'ClientIP' },
        { 'service.kubernetes.io/topology-aware-hints': 'auto' },
      ),
      [
        'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
        'spec.loadBalancerIP is ignored for headless services',
        'spec.externalIPs is ignored for headless services',
        'spec.SessionAffinity is ignored for headless services',
      ],
    ],
    [
      'services',
      service({ type: 'ExternalName', externalName: 'a.example.com', externalIPs: ['1.2.3.4'] }),
      ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
    ],
    [
      'services',
      service({ externalName: 'a.example.com' }),
      ['spec.externalName is ignored when spec.type is not "ExternalName"'],
    ],
    ['endpointslices', slice({}), []],
    [
      'endpointslices',
      slice({ addresses: ['a.b'] }, { addressType: 'FQDN' }),
      ['spec.addressType: FQDN endpoints are deprecated'],
    ],
    [
      'ingresses',
      { metadata: { name: 'x', annotations: { 'kubernetes.io/ingress.class': 'a' } }, spec: {} },
      [`annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`],
    ],
  ])('%s: %#', (resource, sent, messages) => {
    expect(warningsOf(resource, sent)).toEqual(messages)
  })
})
