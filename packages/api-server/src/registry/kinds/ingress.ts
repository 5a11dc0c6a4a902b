/**
 * Ingresses and NetworkPolicies: which traffic goes where, and which goes nowhere.
 */

import { isIP } from 'node:net'
import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain, isWildcardDns1123Subdomain } from '@dinghy/shared/api/names'
import type { Ingress, NetworkPolicy } from '@dinghy/shared/api/types'
import type {
  HTTPIngressPath,
  IngressBackend,
  IngressRule,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from 'kubernetes-types/networking/v1.js'
import { labelSelector, named, oneOf, portNumberOrName, requiredText } from './checks.ts'
import { validateTypedReference } from './ingress-class.ts'
import type { KindRules } from './kind-rules.ts'

const classAnnotation = 'kubernetes.io/ingress.class'

export const ingresses: KindRules<Ingress> = {
  strategy: {
    generationOf: ({ spec }) => spec,
    validate: validateIngress,
  },
}

function validateIngress({ spec, metadata }: Ingress): FieldError[] {
  const { rules = [], tls = [], defaultBackend, ingressClassName } = spec
  const errors = rules.flatMap((rule, i) => validateRule(rule, `spec.rules[${i}]`))
  if (rules.length === 0 && !defaultBackend) {
    errors.push(invalid('spec', rules, 'either `defaultBackend` or `rules` must be specified'))
  }
  if (defaultBackend) errors.push(...validateBackend(defaultBackend, 'spec.defaultBackend'))
  for (const [i, { hosts = [] }] of tls.entries()) {
    for (const [j, host] of hosts.entries()) errors.push(...validateHost(host, `spec.tls[${i}].hosts[${j}]`))
  }
  if (ingressClassName !== undefined) {
    errors.push(...named('spec.ingressClassName', ingressClassName, isDns1123Subdomain(ingressClassName)))
    const annotation = metadata.annotations?.[classAnnotation]
    if (annotation !== undefined && annotation !== ingressClassName) {
      const detail = 'must match `ingressClassName` when both are specified'
      errors.push(invalid(`metadata.annotations.${classAnnotation}`, annotation, detail))
    }
  }
  return errors
}

function validateRule({ host, http }: IngressRule, path: string): FieldError[] {
  const errors = host ? validateHost(host, `${path}.host`) : []
  if (!http) return errors
  if (!http.paths?.length) return [...errors, required(`${path}.http.paths`)]
  return [...errors, ...http.paths.flatMap((entry, i) => validatePath(entry, `${path}.http.paths[${i}]`))]
}

function validateHost(host: string, path: string): FieldError[] {
  if (isIP(host) !== 0) return [invalid(path, host, 'must be a DNS name, not an IP address')]
  return named(path, host, host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host))
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']
const forbiddenSequences = ['//', '/./', '/../', '%2f', '%2F']

function validatePath({ path: text = '', pathType, backend }: HTTPIngressPath, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (!pathType) errors.push(required(`${path}.pathType`, 'pathType must be specified'))
  else if (!pathTypes.includes(pathType)) errors.push(notSupported(`${path}.pathType`, pathType, pathTypes))
  else if (pathType === 'ImplementationSpecific') {
    if (text !== '' && !text.startsWith('/')) errors.push(invalid(`${path}.path`, text, 'must be an absolute path'))
  } else if (!text.startsWith('/')) errors.push(invalid(`${path}.path`, text, 'must be an absolute path'))
  else {
    for (const sequence of forbiddenSequences.filter((sequence) => text.includes(sequence))) {
      errors.push(invalid(`${path}.path`, text, `must not contain '${sequence}'`))
    }
  }
  return [...errors, ...validateBackend(backend, `${path}.backend`)]
}

function validateBackend({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (resource && service) return [invalid(path, '', 'cannot set both resource and service backends')]
  if (resource) return validateTypedReference(resource, `${path}.resource`)
  if (!service) return [required(path, 'resource or service backend is required')]
  const { name, number } = service.port ?? {}
  const errors = requiredText(`${path}.service.name`, service.name)
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
      ...(spec.policyTypes ?? []).flatMap((type, i) => oneOf(`spec.policyTypes[${i}]`, type, ['Egress', 'Ingress'])),
    ],
  },
}

function validatePolicyPort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  const errors = oneOf(`${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP'])
  if (port !== undefined) errors.push(...portNumberOrName(`${path}.port`, port))
  if (endPort === undefined) return errors
  if (typeof port !== 'number') {
    const detail =
      port === undefined
        ? 'may not be specified when `port` is not specified'
        : 'may not be specified when `port` is non-numeric'
    errors.push(invalid(`${path}.endPort`, endPort, detail))
  } else if (endPort < port) errors.push(invalid(`${path}.endPort`, endPort, 'must be greater than or equal to `port`'))
  return errors
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): FieldError[] {
  if (!podSelector && !namespaceSelector && !ipBlock) return [required(path, 'must specify a peer')]
  const errors = [
    ...labelSelector(`${path}.podSelector`, podSelector),
    ...labelSelector(`${path}.namespaceSelector`, namespaceSelector),
  ]
  if (!ipBlock) return errors
  if (podSelector || namespaceSelector) {
    errors.push(invalid(path, '', 'may not specify both ipBlock and another peer'))
  }
  for (const [field, cidrs] of Object.entries({ cidr: [ipBlock.cidr], except: ipBlock.except ?? [] })) {
    for (const cidr of cidrs)
      if (!isCidr(cidr)) errors.push(invalid(`${path}.ipBlock.${field}`, cidr, 'not a valid CIDR'))
  }
  return errors
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/')
  const version = isIP(address)
  return rest.length === 0 && version !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
}
