/**
 * Endpoints and EndpointSlices: the addresses behind a Service.
 */

import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain, isIpAddress, isPortNumber } from '@dinghy/shared/api/names'
import { isIPv4, isIPv6 } from 'node:net'
import type { Endpoints, EndpointSlice, EndpointSubset } from '@dinghy/shared/api/types'
import { labels, named, oneOf, requiredOneOf, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

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
    for (const [i, { ip }] of list.entries()) errors.push(...validateIp(`${path}.${field}[${i}].ip`, ip))
  }
  for (const [i, { name, port, protocol }] of ports.entries()) {
    const at = `${path}.ports[${i}]`
    if (!name && ports.length > 1) errors.push(required(`${at}.name`))
    else if (name) errors.push(...named(`${at}.name`, name, isDns1123Label(name)))
    errors.push(...named(`${at}.port`, port ?? 0, isPortNumber(port ?? 0)))
    errors.push(...requiredOneOf(`${at}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']))
  }
  return errors
}

function validateIp(path: string, ip: string): FieldError[] {
  const errors = named(path, ip, isIpAddress(ip))
  if (errors.length > 0) return errors
  return ip === '0.0.0.0' || ip === '::' ? [invalid(path, ip, `may not be unspecified (${ip})`)] : []
}

const maxEndpoints = 1000
const maxAddresses = 100

export const endpointSlices: KindRules<EndpointSlice> = {
  strategy: {
    defaults({ ports }) {
      for (const port of ports ?? []) {
        port.name ??= ''
        port.protocol ??= 'TCP'
      }
    },
    generationOf: ({ addressType, endpoints, ports }) => [addressType, endpoints, ports],
    validate: validateSlice,
    validateUpdate: (next, previous) => unchanged('addressType', next.addressType, previous.addressType),
  },
}

function validateSlice({ addressType, endpoints: list, ports = [] }: EndpointSlice): FieldError[] {
  const endpoints = list ?? [] // an empty list is how a slice says that nobody is there
  const types = ['FQDN', 'IPv4', 'IPv6']
  const errors = addressType ? oneOf('addressType', addressType, types) : [required('addressType')]
  if (endpoints.length > maxEndpoints) {
    errors.push(invalid('endpoints', endpoints.length, `must have at most ${maxEndpoints} items`))
  }
  for (const [i, { addresses = [], deprecatedTopology }] of endpoints.entries()) {
    const at = `endpoints[${i}].addresses`
    if (addresses.length === 0) errors.push(required(at, 'must contain at least 1 endpoint address'))
    if (addresses.length > maxAddresses)
      errors.push(invalid(at, addresses.length, `must have at most ${maxAddresses} items`))
    for (const [j, address] of addresses.entries()) errors.push(...validateAddress(addressType, address, `${at}[${j}]`))
    errors.push(...labels(`endpoints[${i}].deprecatedTopology`, deprecatedTopology))
  }
  const names = new Set<string>()
  for (const [i, { name = '', protocol }] of ports.entries()) {
    const at = `ports[${i}]`
    if (names.has(name)) errors.push(forbidden(`${at}.name`, `port names must be unique: ${JSON.stringify(name)}`))
    names.add(name)
    if (name !== '') errors.push(...named(`${at}.name`, name, isDns1123Label(name)))
    if (!['SCTP', 'TCP', 'UDP'].includes(protocol ?? '')) {
      errors.push(notSupported(`${at}.protocol`, protocol ?? '', ['SCTP', 'TCP', 'UDP']))
    }
  }
  return errors
}

function validateAddress(type: string, address: string, path: string): FieldError[] {
  if (type === 'FQDN') return named(path, address, isDns1123Subdomain(address))
  if (type === 'IPv4' && !isIPv4(address)) return [invalid(path, address, 'must be an IPv4 address')]
  if (type === 'IPv6' && !isIPv6(address)) return [invalid(path, address, 'must be an IPv6 address')]
  return []
}
