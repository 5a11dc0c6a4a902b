/**
 * ServiceCIDRs and IPAddresses: ranges that Services may have addresses of, and who has which. They are checked and
 * kept; the range is the one that the API server was started with (docs/limits.md).
 */

import { isIP, isIPv4 } from 'node:net'
import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain, isIpAddress, isPathSegmentName } from '@dinghy/shared/api/names'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { named, unchanged } from './checks.ts'
import { notCidr, parseCidr } from './cidr.ts'
import type { KindRules } from './kind-rules.ts'

interface ServiceCIDR extends KubernetesObject {
  spec?: { cidrs?: string[] }
}

export const serviceCidrs: KindRules<ServiceCIDR> = {
  strategy: {
    validate: ({ spec }) => validateCidrs(spec?.cidrs ?? [], 'spec.cidrs'),
    validateUpdate: (next, previous) => unchanged('spec.cidrs', next.spec?.cidrs, previous.spec?.cidrs),
  },
}

function validateCidrs(cidrs: string[], path: string): FieldError[] {
  if (cidrs.length === 0) return [required(path, 'at least one CIDR required')]
  if (cidrs.length > 2) return [invalid(path, { cidrs }, 'may only hold up to 2 values')]
  const families = new Set(cidrs.map((cidr) => isIP(cidr.split('/')[0] ?? '')))
  if (cidrs.length === 2 && (families.has(0) || families.size < 2)) {
    const detail = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'
    return [invalid(path, { cidrs }, detail)]
  }
  return cidrs.flatMap((cidr, i) => named(`${path}[${i}]`, cidr, cidrProblems(cidr)))
}

function cidrProblems(cidr: string): string[] {
  const parsed = parseCidr(cidr)
  if (!parsed) return [notCidr]
  const canonical = `${networkOf(parsed.address, parsed.length)}/${parsed.length}`
  return canonical === cidr ? [] : [`must be in canonical form ("${canonical}")`]
}

/** The address with all bits cleared that are the hosts'. */
function networkOf(address: string, length: number): string {
  const isV4 = isIPv4(address)
  const width = isV4 ? 8 : 16
  const parts = isV4 ? address.split('.').map(Number) : groupsOf(address)
  const masked = parts.map((part, i) => {
    const hostBits = Math.min(width, Math.max(0, width * (i + 1) - length))
    return (part >> hostBits) << hostBits
  })
  return isV4 ? masked.join('.') : canonicalIpv6(masked.map((part) => part.toString(16)).join(':'))
}

function groupsOf(address: string): number[] {
  const [head = '', tail] = canonicalIpv6(address).split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const [first, last] = [groups(head), groups(tail ?? '')]
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}

/** As RFC 5952 wants it written; URLs do it by the same rules. */
function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}

interface ParentReference {
  group?: string
  resource: string
  namespace?: string
  name: string
}

interface IPAddress extends KubernetesObject {
  spec?: { parentRef?: ParentReference }
}

export const ipAddresses: KindRules<IPAddress> = {
  strategy: {
    validateName(name) {
      const problems = isIpAddress(name)
      if (problems.length > 0 || isIPv4(name)) return problems
      const canonical = canonicalIpv6(name)
      return canonical === name ? [] : [`must be in canonical form ("${canonical}")`]
    },
    validate: ({ spec }) => validateParent(spec?.parentRef, 'spec.parentRef'),
    validateUpdate: (next, previous) => unchanged('spec.parentRef', next.spec?.parentRef, previous.spec?.parentRef),
  },
}

function validateParent(parent: ParentReference | undefined, path: string): FieldError[] {
  if (!parent) return [required(path)]
  const { group, resource, namespace, name } = parent
  const segment = (field: string, text: string) => named(`${path}.${field}`, text, isPathSegmentName(text))
  return [
    ...(group ? named(`${path}.group`, group, isDns1123Subdomain(group)) : []),
    ...(resource ? segment('resource', resource) : [required(`${path}.resource`)]),
    ...(name ? segment('name', name) : [required(`${path}.name`)]),
    ...(namespace ? segment('namespace', namespace) : []),
  ]
}
