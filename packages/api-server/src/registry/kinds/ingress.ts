/**
 * Ingresses and NetworkPolicies: which traffic goes where, and which goes nowhere.
 */

import { isIP } from 'node:net'
import { forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1035Label, isDns1123Subdomain, isIpAddress, isWildcardDns1123Subdomain } from '@dinghy/shared/api/names'
import type { Ingress, NetworkPolicy } from '@dinghy/shared/api/types'
import type {
  HTTPIngressPath,
  IngressBackend,
  IngressRule,
  IPBlock,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from 'kubernetes-types/networking/v1.js'
import { labelSelector, named, oneOf, portNumberOrName } from './checks.ts'
import { isStrictSubset, notCidr, parseCidr } from './cidr.ts'
import { validateTypedReference } from './ingress-class.ts'
import type { KindRules } from './kind-rules.ts'

const classAnnotation = 'kubernetes.io/ingress.class'

export const ingresses: KindRules<Ingress> = {
  strategy: {
    generationOf: ({ spec }) => spec,
    validate: validateIngress,
    validateCreate({ metadata, spec: { ingressClassName } }) {
      const annotation = metadata.annotations?.[classAnnotation]
      if (ingressClassName === undefined || annotation === undefined || annotation === ingressClassName) return []
      const detail = 'must match `ingressClassName` when both are specified'
      return [invalid(`annotations.${classAnnotation}`, annotation, detail)]
    },
    validateStatusUpdate: ({ status }) =>
      (status?.loadBalancer?.ingress ?? []).flatMap((ingress, i) =>
        validateAddress(ingress, `status.loadBalancer.ingress[${i}]`),
      ),
    warnings: ({ metadata, spec }, previous) =>
      !previous && Object.hasOwn(metadata.annotations ?? {}, classAnnotation) && spec.ingressClassName === undefined
        ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
        : [],
  },
}

/** Shared with Services: where a load balancer is reached. */
export function validateAddress({ ip, hostname }: { ip?: string; hostname?: string }, path: string): FieldError[] {
  const errors = ip ? named(`${path}.ip`, ip, isIpAddress(ip)) : []
  if (!hostname) return errors
  errors.push(...named(`${path}.hostname`, hostname, isDns1123Subdomain(hostname)))
  if (isIP(hostname) === 0) return errors
  return [...errors, invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address')]
}

function validateIngress({ spec }: Ingress): FieldError[] {
  const { rules = [], tls = [], defaultBackend, ingressClassName } = spec
  const errors: FieldError[] = []
  if (rules.length === 0 && !defaultBackend) {
    errors.push(invalid('spec', rules, 'either `defaultBackend` or `rules` must be specified'))
  }
  if (defaultBackend) errors.push(...validateBackend(defaultBackend, 'spec.defaultBackend'))
  errors.push(...rules.flatMap((rule, i) => validateRule(rule, `spec.rules[${i}]`)))
  for (const [i, { hosts = [], secretName = '' }] of tls.entries()) {
    for (const [j, host] of hosts.entries()) errors.push(...validateHost(host, `spec.tls[${i}].hosts[${j}]`))
    if (secretName !== '')
      errors.push(...named(`spec.tls[${i}].secretName`, secretName, isDns1123Subdomain(secretName)))
  }
  if (ingressClassName === undefined) return errors
  return [...errors, ...named('spec.ingressClassName', ingressClassName, isDns1123Subdomain(ingressClassName))]
}

function validateRule({ host, http }: IngressRule, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (host && isIP(host) !== 0) errors.push(invalid(`${path}.host`, host, 'must be a DNS name, not an IP address'))
  if (host) errors.push(...validateHost(host, `${path}.host`))
  if (!http) return errors
  if (!http.paths?.length) return [...errors, required(`${path}.http.paths`)]
  return [...errors, ...http.paths.flatMap((entry, i) => validatePath(entry, `${path}.http.paths[${i}]`))]
}

function validateHost(host: string, path: string): FieldError[] {
  return named(path, host, host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host))
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']
const forbiddenSequences = ['//', '/./', '/../', '%2f', '%2F']
const forbiddenSuffixes = ['/..', '/.']

function validatePath({ path: text = '', pathType, backend }: HTTPIngressPath, path: string): FieldError[] {
  if (!pathType) return [required(`${path}.pathType`, 'pathType must be specified')]
  const errors = oneOf(`${path}.pathType`, pathType, pathTypes)
  const isOfImplementation = pathType === 'ImplementationSpecific'
  if (errors.length === 0 && !text.startsWith('/') && !(isOfImplementation && text === '')) {
    errors.push(invalid(`${path}.path`, text, 'must be an absolute path'))
  }
  if (errors.length === 0 && !isOfImplementation) {
    const sequences = forbiddenSequences.filter((sequence) => text.includes(sequence))
    const suffixes = forbiddenSuffixes.filter((suffix) => text.endsWith(suffix))
    const details = [
      ...sequences.map((sequence) => `must not contain '${sequence}'`),
      ...suffixes.map((suffix) => `cannot end with '${suffix}'`),
    ]
    errors.push(...named(`${path}.path`, text, details))
  }
  return [...errors, ...validateBackend(backend, `${path}.backend`)]
}

function validateBackend({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (resource && service) return [invalid(path, '', 'cannot set both resource and service backends')]
  if (resource) return validateTypedReference(resource, `${path}.resource`)
  if (!service) return [invalid(path, '', 'resource or service backend is required')]
  const { name, number } = service.port ?? {}
  const errors = service.name
    ? named(`${path}.service.name`, service.name, isDns1035Label(service.name))
    : [required(`${path}.service.name`)]
  if (name && number) errors.push(invalid(path, '', 'cannot set both port name & port number'))
  else if (!name && !number) errors.push(required(path, 'port name or number is required'))
  else if (number) errors.push(...portNumberOrName(`${path}.service.port.number`, number))
  else errors.push(...portNumberOrName(`${path}.service.port.name`, name))
  return errors
}

export const networkPolicies: KindRules<NetworkPolicy> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      spec.podSelector ??= {}
      // A policy with egress rules restricts both directions; one without leaves egress alone.
      if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress']
      for (const { ports } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
        for (const port of ports ?? []) port.protocol ??= 'TCP'
      }
    },
    generationOf: ({ spec }) => spec,
    validate: ({ spec }) => [
      ...labelSelector('spec.podSelector', spec.podSelector),
      ...(spec.ingress ?? []).flatMap(({ ports = [], from = [] }, i) => [
        ...ports.flatMap((port, j) => validatePolicyPort(port, `spec.ingress[${i}].ports[${j}]`)),
        ...from.flatMap((peer, j) => validatePeer(peer, `spec.ingress[${i}].from[${j}]`)),
      ]),
      ...(spec.egress ?? []).flatMap(({ ports = [], to = [] }, i) => [
        ...ports.flatMap((port, j) => validatePolicyPort(port, `spec.egress[${i}].ports[${j}]`)),
        ...to.flatMap((peer, j) => validatePeer(peer, `spec.egress[${i}].to[${j}]`)),
      ]),
      ...validatePolicyTypes(spec.policyTypes ?? [], 'spec.policyTypes'),
    ],
  },
}

function validatePolicyTypes(types: string[], path: string): FieldError[] {
  if (types.length > 2) return [invalid(path, types, 'may not specify more than two policyTypes')]
  return types.flatMap((type, i) => oneOf(`${path}[${i}]`, type, ['Ingress', 'Egress']))
}

function validatePolicyPort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  const errors = oneOf(`${path}.protocol`, protocol, ['TCP', 'UDP', 'SCTP'])
  if (port !== undefined) errors.push(...portNumberOrName(`${path}.port`, port))
  if (endPort === undefined) return errors
  if (typeof port !== 'number') {
    const detail =
      port === undefined
        ? 'may not be specified when `port` is not specified'
        : 'may not be specified when `port` is non-numeric'
    errors.push(invalid(`${path}.endPort`, endPort, detail))
    return errors
  }
  // Upstream shows the port here, not what is wrong.
  if (endPort < port) errors.push(invalid(`${path}.endPort`, port, 'must be greater than or equal to `port`'))
  return [...errors, ...portNumberOrName(`${path}.endPort`, endPort)]
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): FieldError[] {
  if (!podSelector && !namespaceSelector && !ipBlock) return [required(path, 'must specify a peer')]
  const errors = [
    ...labelSelector(`${path}.podSelector`, podSelector),
    ...labelSelector(`${path}.namespaceSelector`, namespaceSelector),
  ]
  if (!ipBlock) return errors
  errors.push(...validateBlock(ipBlock, `${path}.ipBlock`))
  if (!podSelector && !namespaceSelector) return errors
  return [...errors, forbidden(path, 'may not specify both ipBlock and another peer')]
}

function validateBlock({ cidr, except = [] }: IPBlock, path: string): FieldError[] {
  if (!cidr) return [required(`${path}.cidr`)]
  const whole = parseCidr(cidr)
  if (!whole) return [invalid(`${path}.cidr`, cidr, notCidr)]
  return except.flatMap((text, i) => {
    const part = parseCidr(text)
    const detail = !part ? notCidr : isStrictSubset(part, whole) ? undefined : 'must be a strict subset of `cidr`'
    return detail === undefined ? [] : [invalid(`${path}.except[${i}]`, text, detail)]
  })
}
