/**
 * Services: a name and an address that stay while pods come and go. Addresses and node ports are handed out by the
 * allocator (service-allocators.ts) between prepareForCreate and validate.
 */

import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isIpAddress,
  isPortNumber,
  isQualifiedName,
} from '@dinghy/shared/api/names'
import type { Service, ServicePort, ServiceSpec } from '@dinghy/shared/api/types'
import { between, labels, named, oneOf, portNumberOrName, requiredOneOf } from './checks.ts'
import { notCidr, parseCidr } from './cidr.ts'
import type { KindRules } from './kind-rules.ts'
import { maskTrailingDash } from './object-meta.ts'

export const services: KindRules<Service> = {
  strategy: {
    defaults({ spec }) {
      if (spec) defaultSpec(spec)
    },
    prepareForCreate({ spec }) {
      if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0]
      if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP]
    },
    prepareForUpdate({ spec }, previous) {
      const before = previous.spec
      // Whoever changes only one of the two means both.
      const changed = spec.clusterIP !== before.clusterIP
      if (spec.clusterIP && changed && spec.clusterIPs?.[0] === before.clusterIPs?.[0])
        spec.clusterIPs = [spec.clusterIP]
      if (spec.type === 'ExternalName') clearCluster(spec)
    },
    validateName: (name, prefix) => isDns1035Label(prefix ? maskTrailingDash(name) : name),
    validate: ({ spec }) => validateSpec(spec),
    validateUpdate: (next, previous) => fixedAddress(next.spec, previous.spec),
  },
  selectableFields: {
    'spec.clusterIP': ({ spec }) => spec.clusterIP,
    'spec.type': ({ spec }) => spec.type,
  },
}

const isExposed = new Set(['NodePort', 'LoadBalancer'])
const threeHours = 10800

function defaultSpec(spec: ServiceSpec): void {
  spec.type ||= 'ClusterIP'
  spec.sessionAffinity ||= 'None'
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  else {
    spec.sessionAffinityConfig ??= {}
    spec.sessionAffinityConfig.clientIP ??= {}
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= threeHours
  }
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP'
    port.targetPort ||= port.port
  }
  if (spec.type === 'ExternalName') return
  spec.internalTrafficPolicy ??= 'Cluster'
  if (isExposed.has(spec.type) || spec.externalIPs?.length) spec.externalTrafficPolicy ||= 'Cluster'
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
  spec.ipFamilyPolicy ??= 'SingleStack'
  spec.ipFamilies ??= ['IPv4']
}

/** A Service that becomes a mere alias gives up what only a real one has. */
function clearCluster(spec: ServiceSpec): void {
  for (const field of ['internalTrafficPolicy', 'externalTrafficPolicy', 'ipFamilies', 'ipFamilyPolicy'] as const) {
    delete spec[field]
  }
}

function validateSpec(spec: ServiceSpec): FieldError[] {
  const { type, ports = [] } = spec
  const headless = spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None'
  const errors: FieldError[] = []
  if (ports.length === 0 && !headless && type !== 'ExternalName') errors.push(required('spec.ports'))
  if (headless && (type === 'LoadBalancer' || type === 'NodePort')) {
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`))
  }
  errors.push(...validateExternalName(spec), ...validatePorts(spec))
  errors.push(...labels('spec.selector', spec.selector))
  errors.push(...requiredOneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']))
  if (spec.sessionAffinity === 'ClientIP') {
    const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds
    errors.push(...between('spec.sessionAffinityConfig.clientIP.timeoutSeconds', seconds, 1, 86400))
  }
  errors.push(...requiredOneOf('spec.type', type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']))
  for (const [i, ip] of (spec.clusterIPs ?? []).entries()) {
    if (ip !== 'None') errors.push(...named(`spec.clusterIPs[${i}]`, ip, isIpAddress(ip)))
  }
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) {
    errors.push(...named(`spec.externalIPs[${i}]`, ip, isIpAddress(ip)))
  }
  return [...errors, ...validateFamilies(spec), ...validateLoadBalancer(spec), ...validateTrafficPolicies(spec)]
}

function validateExternalName(spec: ServiceSpec): FieldError[] {
  if (spec.type !== 'ExternalName') return []
  const errors = (['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const)
    .filter((field) => spec[field]?.length)
    .map((field) => forbidden(`spec.${field}`, 'may not be set for ExternalName services'))
  // A name may end in the dot of the DNS root.
  const name = spec.externalName?.replace(/\.$/, '') ?? ''
  if (name === '') return [...errors, required('spec.externalName')]
  return [...errors, ...named('spec.externalName', name, isDns1123Subdomain(name))]
}

function validatePorts({ type, ports = [] }: ServiceSpec): FieldError[] {
  const names = new Set<string>()
  const seen = new Set<string>()
  const nodePorts = new Set<string>()
  return ports.flatMap((port, i) => {
    const path = `spec.ports[${i}]`
    const errors = validatePort(port, ports.length > 1, names, path)
    const key = `${port.protocol}/${port.port}`
    if (seen.has(key)) errors.push(duplicate(path, { protocol: port.protocol, port: port.port }))
    seen.add(key)
    if (!port.nodePort) return errors
    const nodeKey = `${port.protocol}/${port.nodePort}`
    if (nodePorts.has(nodeKey)) errors.push(duplicate(`${path}.nodePort`, port.nodePort))
    nodePorts.add(nodeKey)
    if (type === 'ClusterIP') {
      errors.push(forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"))
    }
    return errors
  })
}

function validatePort(port: ServicePort, requireName: boolean, names: Set<string>, path: string): FieldError[] {
  const { name = '', protocol, targetPort } = port
  const errors: FieldError[] = []
  if (requireName && name === '') errors.push(required(`${path}.name`))
  else if (name !== '') {
    errors.push(...named(`${path}.name`, name, isDns1123Label(name)))
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name))
    names.add(name)
  }
  errors.push(...named(`${path}.port`, port.port ?? 0, isPortNumber(port.port ?? 0)))
  errors.push(...requiredOneOf(`${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']))
  if (port.appProtocol)
    errors.push(...named(`${path}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol)))
  return [...errors, ...portNumberOrName(`${path}.targetPort`, targetPort)]
}

/** The cluster has IPv4 addresses only, as one of upstream's may. */
function validateFamilies({ ipFamilyPolicy, ipFamilies = [] }: ServiceSpec): FieldError[] {
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
  const errors = oneOf('spec.ipFamilyPolicy', ipFamilyPolicy, policies)
  if (ipFamilyPolicy === 'RequireDualStack') {
    const detail = 'this cluster is not configured for dual-stack services'
    errors.push(invalid('spec.ipFamilyPolicy', ipFamilyPolicy, detail))
  }
  for (const [i, family] of ipFamilies.entries()) {
    const at = `spec.ipFamilies[${i}]`
    errors.push(...oneOf(at, family, ['IPv4', 'IPv6']))
    if (family === 'IPv6') errors.push(invalid(at, family, 'not configured on this cluster'))
  }
  return errors
}

const kubeletPort = 10250

function validateLoadBalancer(spec: ServiceSpec): FieldError[] {
  const { type, ports = [], loadBalancerSourceRanges: ranges = [] } = spec
  const errors: FieldError[] = []
  if (type === 'LoadBalancer') {
    for (const [i, { port }] of ports.entries()) {
      const detail = `may not expose port ${kubeletPort} externally since it is used by kubelet`
      if (port === kubeletPort) errors.push(invalid(`spec.ports[${i}]`, port, detail))
    }
  } else {
    const detail = "may only be used when `type` is 'LoadBalancer'"
    if (ranges.length > 0) errors.push(forbidden(sourceRanges, detail))
    for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) {
      if (spec[field] !== undefined) errors.push(forbidden(`spec.${field}`, detail))
    }
  }
  const isRange = (range: string): boolean => parseCidr(range.trim()) !== undefined
  const rangeErrors = ranges.flatMap((range, i) =>
    isRange(range) ? [] : [invalid(`${sourceRanges}[${i}]`, range.trim(), notCidr)],
  )
  return [...errors, ...rangeErrors]
}

/** Upstream's errors have it with a capital. */
const sourceRanges = 'spec.LoadBalancerSourceRanges'

function validateTrafficPolicies(spec: ServiceSpec): FieldError[] {
  const { type = '', externalTrafficPolicy, internalTrafficPolicy, externalIPs } = spec
  const policies = ['Cluster', 'Local']
  const errors = oneOf('spec.internalTrafficPolicy', internalTrafficPolicy, policies)
  errors.push(...oneOf('spec.trafficDistribution', spec.trafficDistribution, ['PreferClose']))
  if (!externalTrafficPolicy) return errors
  if (!isExposed.has(type) && !externalIPs?.length) {
    const detail = 'may only be set for externally-accessible services'
    return [...errors, invalid('spec.externalTrafficPolicy', externalTrafficPolicy, detail)]
  }
  return [...errors, ...oneOf('spec.externalTrafficPolicy', externalTrafficPolicy, policies)]
}

/** Clients remember a Service's address; it changes only with a type that has none. */
function fixedAddress(next: ServiceSpec, previous: ServiceSpec): FieldError[] {
  const [now, before] = [next.clusterIPs?.[0], previous.clusterIPs?.[0]]
  if (next.type === 'ExternalName' || previous.type === 'ExternalName' || before === undefined) return []
  return now === before ? [] : [invalid('spec.clusterIPs[0]', [now ?? ''], 'may not change once set')]
}
