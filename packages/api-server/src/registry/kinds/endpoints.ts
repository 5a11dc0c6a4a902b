/**
 * Endpoints and EndpointSlices: the addresses behind a Service. Unlike upstream's they may be loopback addresses: those
 * are what pods have here (docs/networking.md).
 */

import { isIPv4, isIPv6 } from 'node:net'
import { duplicate, invalid, notSupported, required, tooMany, type FieldError } from '@dinghy/shared/api/field-errors'
import {
  isDns1123Label,
  isDns1123Subdomain,
  isIpAddress,
  isLabelValue,
  isPortNumber,
  isQualifiedName,
} from '@dinghy/shared/api/names'
import type { Endpoints, EndpointSlice, EndpointSubset } from '@dinghy/shared/api/types'
import type { EndpointAddress } from 'kubernetes-types/core/v1.js'
import type { Endpoint, EndpointHints, EndpointPort } from 'kubernetes-types/discovery/v1.js'
import { labels, named, requiredOneOf, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

const protocols = ['SCTP', 'TCP', 'UDP']

export const endpoints: KindRules<Endpoints> = {
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  strategy: {
    defaults({ subsets }) {
      for (const { ports } of subsets ?? []) for (const port of ports ?? []) port.protocol ||= 'TCP'
    },
    validate: ({ subsets }) => (subsets ?? []).flatMap((subset, i) => validateSubset(subset, `subsets[${i}]`)),
    allowCreateOnUpdate: true,
  },
}

function validateSubset(
  { addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset,
  path: string,
): FieldError[] {
  const errors: FieldError[] = []
  if (addresses.length === 0 && notReadyAddresses.length === 0) {
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'))
  }
  for (const [field, list] of Object.entries({ addresses, notReadyAddresses })) {
    for (const [i, address] of list.entries()) errors.push(...validateEndpoint(address, `${path}.${field}[${i}]`))
  }
  for (const [i, { name, port, protocol, appProtocol }] of ports.entries()) {
    const at = `${path}.ports[${i}]`
    if (!name && ports.length > 1) errors.push(required(`${at}.name`))
    else if (name) errors.push(...named(`${at}.name`, name, isDns1123Label(name)))
    errors.push(...named(`${at}.port`, port ?? 0, isPortNumber(port ?? 0)))
    errors.push(...requiredOneOf(`${at}.protocol`, protocol, protocols))
    errors.push(...validateAppProtocol(appProtocol, at))
  }
  return errors
}

function validateEndpoint({ ip, hostname, nodeName }: EndpointAddress, path: string): FieldError[] {
  return [
    ...named(`${path}.ip`, ip, isIpAddress(ip ?? '')),
    ...(hostname ? named(`${path}.hostname`, hostname, isDns1123Label(hostname)) : []),
    ...(nodeName === undefined ? [] : named(`${path}.nodeName`, nodeName, isDns1123Subdomain(nodeName))),
    ...notSpecial(ip, `${path}.ip`),
  ]
}

function validateAppProtocol(protocol: string | undefined, path: string): FieldError[] {
  return protocol === undefined ? [] : named(`${path}.appProtocol`, protocol, isQualifiedName(protocol))
}

/** Shared with the external addresses of Services. */
export function notSpecial(ip: string, path: string): FieldError[] {
  if (isIpAddress(ip ?? '').length > 0) return [invalid(path, ip, 'must be a valid IP address')]
  if (ip === '0.0.0.0' || ip === '::') return [invalid(path, ip, `may not be unspecified (${ip})`)]
  if (/^169\.254\.|^fe[89ab][0-9a-f]:/i.test(ip)) {
    return [invalid(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')]
  }
  if (!/^224\.0\.0\.|^ff[0-9a-f]2:/i.test(ip)) return []
  return [invalid(path, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')]
}

// ---- slices

const maxEndpoints = 1000
const maxAddresses = 100
const maxPorts = 20_000
const maxTopologyLabels = 16
const maxZoneHints = 8

export const endpointSlices: KindRules<EndpointSlice> = {
  strategy: {
    defaults({ ports }) {
      for (const port of ports ?? []) {
        port.name ??= ''
        port.protocol ??= 'TCP'
      }
    },
    generationOf: ({ addressType, endpoints, ports }) => [addressType, endpoints, ports],
    validate: ({ addressType, endpoints: list, ports }) => [
      ...requiredOneOf('addressType', addressType, ['FQDN', 'IPv4', 'IPv6']),
      // An empty list is how a slice says that nobody is there.
      ...validateEndpoints(addressType, list ?? []),
      ...validateSlicePorts(ports ?? []),
    ],
    validateUpdate: (next, previous) => unchanged('addressType', next.addressType, previous.addressType),
    // The path is upstream's.
    warnings: ({ addressType }) => (addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
  },
}

function validateEndpoints(type: string, list: Endpoint[]): FieldError[] {
  if (list.length > maxEndpoints) return [tooMany('endpoints', list.length, maxEndpoints)]
  return list.flatMap(({ addresses, nodeName, hostname, hints, deprecatedTopology }, i) => {
    const path = `endpoints[${i}]`
    const at = `${path}.addresses`
    const errors: FieldError[] = []
    const count = addresses?.length ?? 0
    if (count === 0) errors.push(required(at, 'must contain at least 1 address'))
    if (count > maxAddresses) errors.push(tooMany(at, count, maxAddresses))
    for (const [j, address] of (addresses ?? []).entries()) {
      errors.push(...validateAddress(type, address, `${at}[${j}]`))
    }
    if (nodeName !== undefined) errors.push(...named(`${path}.nodeName`, nodeName, isDns1123Subdomain(nodeName)))
    const labelCount = Object.keys(deprecatedTopology ?? {}).length
    const topology = `${path}.deprecatedTopology`
    if (labelCount > maxTopologyLabels) errors.push(tooMany(topology, labelCount, maxTopologyLabels))
    errors.push(...labels(topology, deprecatedTopology))
    if (hostname !== undefined) errors.push(...named(`${path}.hostname`, hostname, isDns1123Label(hostname)))
    return [...errors, ...validateHints(hints, `${path}.hints.forZones`)]
  })
}

function validateAddress(type: string, address: string, path: string): FieldError[] {
  if (type === 'FQDN') return validateDomain(address, path)
  if (type !== 'IPv4' && type !== 'IPv6') return []
  const isOfType = type === 'IPv4' ? isIPv4(address) : isIPv6(address)
  const errors = isOfType ? [] : [invalid(path, address, `must be a valid ${type} address`)]
  return [...errors, ...notSpecial(address, path)]
}

/** At least two labels, and a dot of the DNS root if it likes. */
function validateDomain(domain: string, path: string): FieldError[] {
  if (domain === '') return [required(path)]
  const name = domain.replace(/\.$/, '')
  const errors = named(path, name, isDns1123Subdomain(name))
  if (errors.length > 0) return errors
  const parts = name.split('.')
  if (parts.length < 2) {
    return [invalid(path, name, 'should be a domain with at least two segments separated by dots')]
  }
  return parts.flatMap((label) => named(path, label, isDns1123Label(label)))
}

function validateHints(hints: EndpointHints | undefined, path: string): FieldError[] {
  const zones = hints?.forZones ?? []
  if (zones.length > maxZoneHints) return [tooMany(path, zones.length, maxZoneHints)]
  const names = zones.map(({ name }) => name)
  return names.flatMap((name, i) => [
    ...(names.indexOf(name) < i ? [duplicate(`${path}[${i}].name`, name)] : []),
    ...named(`${path}[${i}].name`, name, isLabelValue(name)),
  ])
}

function validateSlicePorts(ports: EndpointPort[]): FieldError[] {
  if (ports.length > maxPorts) return [tooMany('ports', ports.length, maxPorts)]
  const names = ports.map(({ name = '' }) => name)
  return ports.flatMap(({ name = '', protocol, appProtocol }, i) => {
    const at = `ports[${i}]`
    const errors = name === '' ? [] : named(`${at}.name`, name, isDns1123Label(name))
    if (names.indexOf(name) < i) errors.push(duplicate(`${at}.name`, name))
    if (protocol === undefined) errors.push(required(`${at}.protocol`))
    else if (!protocols.includes(protocol)) errors.push(notSupported(`${at}.protocol`, protocol, protocols))
    return [...errors, ...validateAppProtocol(appProtocol, at)]
  })
}
