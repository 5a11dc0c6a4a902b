import { expect, test } from 'vitest'
import { problemsOf } from '../../testing/kind-fixture.ts'

const backend = { service: { name: 'web', port: { number: 80 } } }
function ingress(more: object, metadata: object = {}) {
  return { metadata: { name: 'x', ...metadata }, spec: { defaultBackend: backend, ...more } }
}
function onePath(more: object) {
  return ingress({ rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend, ...more }] } }] })
}
const at = 'spec.rules[0].http.paths[0]'
const notIp = 'must be a DNS name, not an IP address'

test.each<[object, string[]]>([
  [onePath({}), []],
  [onePath({ path: undefined, pathType: 'ImplementationSpecific' }), []],
  [onePath({ pathType: undefined, backend: {} }), [`${at}.pathType: Required value: pathType must be specified`]],
  [
    onePath({ pathType: 'Any' }),
    [`${at}.pathType: Unsupported value: "Any": supported values: "Exact", "ImplementationSpecific", "Prefix"`],
  ],
  [
    onePath({ path: '/a//b/..' }),
    [
      `${at}.path: Invalid value: "/a//b/..": must not contain '//'`,
      `${at}.path: Invalid value: "/a//b/..": cannot end with '/..'`,
    ],
  ],
  [onePath({ backend: {} }), [`${at}.backend: Invalid value: "": resource or service backend is required`]],
  [onePath({ backend: { service: { port: { name: 'http' } } } }), [`${at}.backend.service.name: Required value`]],
  [ingress({ rules: [{ host: '1.2.3.4' }] }), [`spec.rules[0].host: Invalid value: "1.2.3.4": ${notIp}`]],
  [ingress({ tls: [{ hosts: ['1.2.3.4'], secretName: 'cert' }] }), []],
  [
    ingress({ ingressClassName: 'a' }, { annotations: { 'kubernetes.io/ingress.class': 'b' } }),
    [
      'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are specified',
    ],
  ],
])('Ingress %#', (sent, messages) => {
  expect(problemsOf('ingresses', sent)).toEqual(messages)
})

test('names in an Ingress are names', () => {
  const [service, secret] = problemsOf(
    'ingresses',
    ingress({ defaultBackend: { service: { name: '1st', port: { number: 80 } } }, tls: [{ secretName: 'a_b' }] }),
  )
  expect(service).toMatch(/^spec.defaultBackend.service.name: Invalid value: "1st": a DNS-1035 label must/)
  expect(secret).toMatch(/^spec.tls\[0\].secretName: Invalid value: "a_b": a lowercase RFC 1123 subdomain must/)
})

const from = 'spec.ingress[0].from[0]'
const port = 'spec.ingress[0].ports[0]'
const notCidr = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

test.each<[object, string[]]>([
  [{ ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }] }] }, []],
  [{ ingress: [{ from: [{}] }] }, [`${from}: Required value: must specify a peer`]],
  [
    { ingress: [{ from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/33' } }] }] },
    [
      `${from}.ipBlock.cidr: Invalid value: "10.0.0.0/33": ${notCidr}`,
      `${from}: Forbidden: may not specify both ipBlock and another peer`,
    ],
  ],
  [
    { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8', '11.0.0.0/16', 'x', '::/64'] } }] }] },
    [
      `${from}.ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of \`cidr\``,
      `${from}.ipBlock.except[1]: Invalid value: "11.0.0.0/16": must be a strict subset of \`cidr\``,
      `${from}.ipBlock.except[2]: Invalid value: "x": ${notCidr}`,
      `${from}.ipBlock.except[3]: Invalid value: "::/64": must be a strict subset of \`cidr\``,
    ],
  ],
  [
    { ingress: [{ ports: [{ port: 80, endPort: 79, protocol: 'ICMP' }] }] },
    [
      `${port}.protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"`,
      `${port}.endPort: Invalid value: 80: must be greater than or equal to \`port\``,
    ],
  ],
  [
    { ingress: [{ ports: [{ port: 80, endPort: 70_000 }] }] },
    [`${port}.endPort: Invalid value: 70000: must be between 1 and 65535, inclusive`],
  ],
  [{ policyTypes: ['Up'] }, ['spec.policyTypes[0]: Unsupported value: "Up": supported values: "Ingress", "Egress"']],
  [
    { policyTypes: ['Ingress', 'Ingress', 'Egress'] },
    ['spec.policyTypes: Invalid value: ["Ingress","Ingress","Egress"]: may not specify more than two policyTypes'],
  ],
])('NetworkPolicy %#', (spec, messages) => {
  expect(problemsOf('networkpolicies', { spec })).toEqual(messages)
})
