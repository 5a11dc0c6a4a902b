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
import { needsHealthCheck } from '../service-type.ts'
import { labels, named, oneOf, portNumberOrName, requiredOneOf } from './checks.ts'
import { notCidr, parseCidr } from './cidr.ts'
import { notSpecial } from './endpoints.ts'
import { validateAddress } from './ingress.ts'
import type { KindRules } from './kind-rules.ts'
import { maskTrailingDash } from './object-meta.ts'

export const services: KindRules<Service> = {
  strategy: {
    defaults({ spec, status }) {
      if (spec) defaultSpec(spec)
      for (const ingress of status?.loadBalancer?.ingress ?? []) {
        if (ingress.ip) (ingress as { ipMode?: string }).ipMode ??= 'VIP'
      }
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
    validate: (service) => [...validateAnnotations(service), ...validateSpec(service.spec)],
    validateUpdate,
    validateStatusUpdate: validateStatus,
    warnings,
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

function isHeadless({ clusterIPs = [] }: ServiceSpec): boolean {
  return clusterIPs.length === 1 && clusterIPs[0] === 'None'
}

function validateSpec(spec: ServiceSpec): FieldError[] {
  const { type, ports = [] } = spec
  const headless = isHeadless(spec)
  const errors: FieldError[] = []
  if (ports.length === 0 && !headless && type !== 'ExternalName') errors.push(required('spec.ports'))
  if (headless && (type === 'LoadBalancer' || type === 'NodePort')) {
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`))
  }
  errors.push(...validateExternalName(spec), ...validatePorts(spec))
  errors.push(...labels('spec.selector', spec.selector))
  errors.push(...validateAffinity(spec), ...validateClusterIps(spec))
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) {
    const at = `spec.externalIPs[${i}]`
    const problems = named(at, ip, isIpAddress(ip))
    errors.push(...(problems.length > 0 ? problems : notSpecial(ip, at)))
  }
  errors.push(...requiredOneOf('spec.type', type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']))
  errors.push(...validatePairs(spec), ...validateLoadBalancer(spec))
  return [...errors, ...validateTrafficPolicies(spec)]
}

const maxAffinitySeconds = 86400

function validateAffinity({ sessionAffinity, sessionAffinityConfig: config }: ServiceSpec): FieldError[] {
  const errors = requiredOneOf('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None'])
  const path = 'spec.sessionAffinityConfig'
  if (sessionAffinity === 'None' && config) {
    errors.push(forbidden(path, 'must not be set when session affinity is None'))
  }
  if (sessionAffinity !== 'ClientIP') return errors
  const seconds = config?.clientIP?.timeoutSeconds ?? 0
  if (seconds > 0 && seconds <= maxAffinitySeconds) return errors
  const detail = `must be greater than 0 and less than ${maxAffinitySeconds}`
  return [...errors, invalid(`${path}.clientIP.timeoutSeconds`, seconds, detail)]
}

/** The cluster has IPv4 addresses only, as one of upstream's may. */
function validateClusterIps(spec: ServiceSpec): FieldError[] {
  const { type, clusterIP, clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec
  if (type === 'ExternalName') return []
  const at = 'spec.clusterIPs'
  const errors: FieldError[] = []
  if (clusterIP && clusterIPs.length === 0) errors.push(required(at))
  else if (clusterIP && clusterIPs[0] !== clusterIP) {
    errors.push(invalid(at, clusterIPs, 'first value must match `clusterIP`'))
  } else if (!clusterIP && clusterIPs.length > 0) {
    errors.push(invalid(at, clusterIPs, 'must be empty when `clusterIP` is not specified'))
  }
  for (const [i, family] of ipFamilies.entries()) {
    const place = `spec.ipFamilies[${i}]`
    errors.push(...oneOf(place, family, ['IPv4', 'IPv6']))
    if (ipFamilies.indexOf(family) < i) errors.push(duplicate(place, family))
    if (family === 'IPv6') errors.push(invalid(place, family, 'not configured on this cluster'))
  }
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
  errors.push(...oneOf('spec.ipFamilyPolicy', ipFamilyPolicy, policies))
  if (ipFamilyPolicy === 'RequireDualStack') {
    const detail = 'this cluster is not configured for dual-stack services'
    errors.push(invalid('spec.ipFamilyPolicy', ipFamilyPolicy, detail))
  }
  if (clusterIPs.length > 1 && clusterIPs[0] === 'None') {
    errors.push(invalid(at, clusterIPs, "'None' must be the first and only value"))
  }
  for (const [i, ip] of clusterIPs.entries()) {
    if (i > 0 || ip !== 'None') errors.push(...named(`${at}[${i}]`, ip, isIpAddress(ip)))
  }
  if (clusterIPs.length > 2) errors.push(invalid(at, clusterIPs, 'may only hold up to 2 values'))
  return errors
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

function validatePorts({ ports = [] }: ServiceSpec): FieldError[] {
  const names = new Set<string>()
  return ports.flatMap((port, i) => validatePort(port, ports.length > 1, names, `spec.ports[${i}]`))
}

/** A port of a protocol is there once, and so is a node port. */
function validatePairs({ type, ports = [] }: ServiceSpec): FieldError[] {
  const path = (i: number) => `spec.ports[${i}]`
  const unused = ports.flatMap(({ nodePort }, i) =>
    nodePort && type === 'ClusterIP'
      ? [forbidden(`${path(i)}.nodePort`, "may not be used when `type` is 'ClusterIP'")]
      : [],
  )
  const seen = new Set<string>()
  const isAgain = (key: string) => seen.has(key) || !seen.add(key)
  const nodePorts = ports.flatMap(({ protocol, nodePort }, i) =>
    nodePort && isAgain(`node ${protocol}/${nodePort}`) ? [duplicate(`${path(i)}.nodePort`, nodePort)] : [],
  )
  const own = ports.flatMap(({ protocol, port }, i) =>
    isAgain(`${protocol}/${port}`) ? [duplicate(path(i), { protocol, port })] : [],
  )
  return [...unused, ...nodePorts, ...own]
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
  errors.push(...portNumberOrName(`${path}.targetPort`, targetPort))
  if (port.appProtocol === undefined) return errors
  return [...errors, ...named(`${path}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol))]
}

const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'

function validateLoadBalancer(spec: ServiceSpec): FieldError[] {
  const { type, loadBalancerSourceRanges: ranges = [], loadBalancerClass } = spec
  const errors: FieldError[] = []
  const detail = "may only be used when `type` is 'LoadBalancer'"
  const isOther = type !== 'LoadBalancer'
  if (isOther && ranges.length > 0) errors.push(forbidden(sourceRanges, detail))
  errors.push(...ranges.flatMap((range, i) => validateRange(range, `${sourceRanges}[${i}]`)))
  if (isOther && spec.allocateLoadBalancerNodePorts !== undefined) {
    errors.push(forbidden('spec.allocateLoadBalancerNodePorts', detail))
  }
  if (loadBalancerClass === undefined) return errors
  if (isOther) return [...errors, forbidden('spec.loadBalancerClass', detail)]
  return [...errors, ...named('spec.loadBalancerClass', loadBalancerClass, isQualifiedName(loadBalancerClass))]
}

/** By some accident of the past there may be spaces around it. */
function validateRange(range: string, path: string): FieldError[] {
  return parseCidr(range.trim()) ? [] : [invalid(path, range.trim(), notCidr)]
}

/** Upstream's errors have it with a capital. */
const sourceRanges = 'spec.LoadBalancerSourceRanges'

/** Old names of fields: of the topology, which must say the same as the new one, and of source ranges. */
function validateAnnotations({ metadata, spec }: Service): FieldError[] {
  const annotations = new Map(Object.entries(metadata.annotations ?? {}))
  const [hints, mode] = [annotations.get(topologyHints), annotations.get(topologyMode)]
  const errors: FieldError[] = []
  if (hints !== undefined && mode !== undefined && hints !== mode) {
    const detail = `must match annotations[${topologyHints}] when both are specified`
    errors.push(invalid(`metadata.annotations[${topologyMode}]`, mode, detail))
  }
  const ranges = annotations.get(rangesAnnotation)
  if (ranges === undefined || spec.loadBalancerSourceRanges?.length) return errors
  const path = `metadata.annotations[${rangesAnnotation}]`
  if (spec.type !== 'LoadBalancer') {
    errors.push(forbidden(path, "may only be used when `type` is 'LoadBalancer'"))
  }
  const list = ranges.trim() === '' ? [] : ranges.split(',')
  return [...errors, ...list.flatMap((range) => validateRange(range, path))]
}

const topologyHints = 'service.kubernetes.io/topology-aware-hints'
const topologyMode = 'service.kubernetes.io/topology-mode'

function validateTrafficPolicies(spec: ServiceSpec): FieldError[] {
  const { type = '', externalTrafficPolicy, internalTrafficPolicy, externalIPs, healthCheckNodePort } = spec
  const policies = ['Cluster', 'Local']
  const errors: FieldError[] = []
  const isExternal = isExposed.has(type) || (type === 'ClusterIP' && Boolean(externalIPs?.length))
  if (!isExternal && externalTrafficPolicy) {
    const detail = 'may only be set for externally-accessible services'
    errors.push(invalid('spec.externalTrafficPolicy', externalTrafficPolicy, detail))
  }
  if (isExternal) errors.push(...requiredOneOf('spec.externalTrafficPolicy', externalTrafficPolicy, policies))
  if (healthCheckNodePort && !needsHealthCheck(spec)) {
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    errors.push(invalid('spec.healthCheckNodePort', healthCheckNodePort, detail))
  } else if (healthCheckNodePort) {
    errors.push(...named('spec.healthCheckNodePort', healthCheckNodePort, isPortNumber(healthCheckNodePort)))
  }
  errors.push(
    ...(type === 'ExternalName'
      ? oneOf('spec.internalTrafficPolicy', internalTrafficPolicy, policies)
      : requiredOneOf('spec.internalTrafficPolicy', internalTrafficPolicy, policies)),
  )
  return [...errors, ...oneOf('spec.trafficDistribution', spec.trafficDistribution, ['PreferClose'])]
}

/** Clients remember a Service's address; it changes only with a type that has none. */
function validateUpdate({ spec: next }: Service, { spec: previous }: Service): FieldError[] {
  const errors: FieldError[] = []
  const [now, before] = [next.clusterIPs ?? [], previous.clusterIPs ?? []]
  const isAlias = next.type === 'ExternalName' || previous.type === 'ExternalName'
  if (!isAlias && before[0] !== undefined && now[0] !== before[0]) {
    const detail = now.length === 0 ? 'primary clusterIP can not be unset' : 'may not change once set'
    errors.push(invalid('spec.clusterIPs[0]', now, detail))
  }
  const [families, old] = [next.ipFamilies ?? [], previous.ipFamilies ?? []]
  const isFree = isAlias || isHeadless(next) || isHeadless(previous)
  if (!isFree && families[0] !== undefined && old[0] !== undefined && families[0] !== old[0]) {
    errors.push(invalid('spec.ipFamilies[0]', families, 'may not change once set'))
  }
  const areBalanced = next.type === 'LoadBalancer' && previous.type === 'LoadBalancer'
  if (areBalanced && next.loadBalancerClass !== previous.loadBalancerClass) {
    errors.push(invalid('spec.loadBalancerClass', next.loadBalancerClass, 'may not change once set'))
  }
  const areChecked = needsHealthCheck(next) && needsHealthCheck(previous)
  if (areChecked && next.healthCheckNodePort !== previous.healthCheckNodePort) {
    errors.push(forbidden('spec.healthCheckNodePort', 'field is immutable'))
  }
  return errors
}

function validateStatus({ spec, status }: Service): FieldError[] {
  const path = 'status.loadBalancer.ingress'
  const list = status?.loadBalancer?.ingress ?? []
  if (list.length > 0 && spec.type !== 'LoadBalancer') {
    return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
  }
  return list.flatMap((ingress, i) => {
    const { ip, ipMode } = ingress as { ip?: string; ipMode?: string }
    const at = `${path}[${i}]`
    const errors = validateAddress(ingress, at)
    if (ip && ipMode === undefined) errors.push(required(`${at}.ipMode`, 'must be specified when `ip` is set'))
    if (!ip && ipMode !== undefined) {
      errors.push(forbidden(`${at}.ipMode`, 'may not be specified when `ip` is not set'))
    }
    return ip ? [...errors, ...oneOf(`${at}.ipMode`, ipMode, ['Proxy', 'VIP'])] : errors
  })
}

function warnings({ metadata, spec }: Service): string[] {
  const headless = spec.type === 'ClusterIP' && spec.clusterIP === 'None'
  const hasExternal = Boolean(spec.externalIPs?.length)
  const said: [boolean, string][] = [
    [
      Object.hasOwn(metadata.annotations ?? {}, topologyHints),
      `annotation ${topologyHints} is deprecated, please use ${topologyMode} instead`,
    ],
    [headless && Boolean(spec.loadBalancerIP), 'spec.loadBalancerIP is ignored for headless services'],
    [headless && hasExternal, 'spec.externalIPs is ignored for headless services'],
    [headless && spec.sessionAffinity !== 'None', 'spec.SessionAffinity is ignored for headless services'],
    [spec.type === 'ExternalName' && hasExternal, 'spec.externalIPs is ignored when spec.type is "ExternalName"'],
    [
      spec.type !== 'ExternalName' && Boolean(spec.externalName),
      'spec.externalName is ignored when spec.type is not "ExternalName"',
    ],
  ]
  return said.flatMap(([isSo, words]) => (isSo ? [words] : []))
}
