/**
 * URLs, IP addresses and CIDRs. Follows k8s.io/apiserver/pkg/cel/library/{urls,ip,cidr}.go.
 *
 * URLs are taken apart by RFC 3986, as Go does, and not by the rules of browsers, which repair what is wrong.
 */

import { isIP } from 'node:net'
import { CelError } from '../cel-error.ts'
import { type Library, registerClass, registerFunctions, registerNamespace } from './library.ts'

class CelUrl {
  readonly text: string
  readonly scheme: string
  /** With the port. */
  readonly host: string
  readonly path: string
  readonly query: string

  constructor(parts: { text: string; scheme: string; host: string; path: string; query: string }) {
    this.text = parts.text
    this.scheme = parts.scheme
    this.host = parts.host
    this.path = parts.path
    this.query = parts.query
  }

  get hostname(): string {
    return /^\[(.*)\]/.exec(this.host)?.[1] ?? this.host.replace(/:\d*$/, '')
  }

  get port(): string {
    return /:(\d*)$/.exec(this.host.replace(/^\[.*\]/, ''))?.[1] ?? ''
  }

  equals(other: unknown): boolean {
    return other instanceof CelUrl && other.text === this.text
  }

  toString(): string {
    return this.text
  }
}

/** An absolute URL or an absolute path (Go's url.ParseRequestURI); undefined if it is neither. */
export function parseUrl(text: string): CelUrl | undefined {
  // oxlint-disable-next-line no-control-regex -- these are what Go refuses
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text)) return undefined
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:(\/\/)([^/?]*))?([^?]*)(?:\?(.*))?$/s.exec(text)
  if (!match) return undefined
  const [, scheme = '', slashes, authority = '', path = '', query = ''] = match
  if (scheme === '' && !text.startsWith('/')) return undefined
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  if (slashes !== undefined && !/^(?:\[[0-9A-Fa-f:.%]*\]|[^\s<>"[\]\\:]*)(?::\d*)?$/.test(host)) return undefined
  if (/%(?![0-9A-Fa-f]{2})/.test(path + host.replace(/^\[.*\]/, ''))) return undefined
  return new CelUrl({ text, scheme: scheme.toLowerCase(), host, path, query })
}

class CelIp {
  readonly bytes: readonly number[]

  constructor(bytes: readonly number[]) {
    this.bytes = bytes
  }

  get family(): 4 | 6 {
    return this.bytes.length === 4 ? 4 : 6
  }

  equals(other: unknown): boolean {
    return other instanceof CelIp && other.bytes.join() === this.bytes.join()
  }

  get isUnspecified(): boolean {
    return this.bytes.every((byte) => byte === 0)
  }

  get isLoopback(): boolean {
    return this.family === 4 ? this.bytes[0] === 127 : this.bytes.every((byte, i) => byte === (i === 15 ? 1 : 0))
  }

  get isLinkLocalUnicast(): boolean {
    const [first = 0, second = 0] = this.bytes
    return this.family === 4 ? first === 169 && second === 254 : first === 0xfe && (second & 0xc0) === 0x80
  }

  get isMulticast(): boolean {
    const [first = 0] = this.bytes
    return this.family === 4 ? (first & 0xf0) === 0xe0 : first === 0xff
  }

  get isLinkLocalMulticast(): boolean {
    const [first = 0, second = 0, third = 0] = this.bytes
    return this.family === 4 ? first === 224 && second === 0 && third === 0 : first === 0xff && (second & 0x0f) === 0x02
  }

  get isGlobalUnicast(): boolean {
    const isBroadcast = this.family === 4 && this.bytes.every((byte) => byte === 255)
    return !this.isUnspecified && !this.isLoopback && !this.isMulticast && !this.isLinkLocalUnicast && !isBroadcast
  }

  masked(length: number): CelIp {
    return new CelIp(this.bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - i * 8)))))
  }

  /** The canonical form: RFC 5952 for IPv6. */
  toString(): string {
    if (this.family === 4) return this.bytes.join('.')
    const groups = Array.from({ length: 8 }, (_, i) => ((this.bytes[2 * i] ?? 0) << 8) | (this.bytes[2 * i + 1] ?? 0))
    const text = groups.map((group) => group.toString(16)).join(':')
    const zeros = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(([run]) => run)
    const longest = zeros.reduce((best, run) => (lengthOf(run) > lengthOf(best) ? run : best), '')
    return longest === ''
      ? text
      : text
          .replace(longest, ':')
          .replace(/^:(?!:)/, '::')
          .replace(/^(.*[^:]):$/, '$1::')
  }
}

function lengthOf(run: string): number {
  return run.split('0').length
}

function parseIp(text: string): CelIp | undefined {
  const family = isIP(text)
  if (family === 4) return new CelIp(text.split('.').map(Number))
  // Zones have no place in the API, and an IPv4 address in IPv6's clothes would be two addresses in one.
  if (family !== 6 || text.includes('%')) return undefined
  const withHex = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...four) => {
    const [a = 0, b = 0, c = 0, d = 0] = four.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head = '', tail] = withHex.split('::')
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [before, after] = [groupsOf(head), tail === undefined ? [] : groupsOf(tail)]
  const groups = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
  const bytes = groups.flatMap((group) => [group >> 8, group & 0xff])
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return isMapped ? undefined : new CelIp(bytes)
}

function requiredIp(text: string): CelIp {
  const ip = parseIp(text)
  if (ip) return ip
  const isMapped = isIP(text) === 6 && /^::ffff:/i.test(text)
  throw new CelError(
    isMapped
      ? `IPv4-mapped IPv6 address "${text}" is not allowed`
      : `IP Address "${text}" parse error during conversion from string: ParseAddr("${text}"): unable to parse IP`,
  )
}

class CelCidr {
  readonly ip: CelIp
  readonly length: number

  constructor(ip: CelIp, length: number) {
    this.ip = ip
    this.length = length
  }

  contains(ip: CelIp): boolean {
    return ip.family === this.ip.family && ip.masked(this.length).equals(this.ip.masked(this.length))
  }

  equals(other: unknown): boolean {
    return other instanceof CelCidr && other.length === this.length && other.ip.equals(this.ip)
  }

  toString(): string {
    return `${this.ip}/${this.length}`
  }
}

function parseCidr(text: string): CelCidr | undefined {
  const [address = '', length = '', ...more] = text.split('/')
  const ip = parseIp(address)
  if (!ip || more.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined
  return Number(length) <= ip.bytes.length * 8 ? new CelCidr(ip, Number(length)) : undefined
}

function requiredCidr(text: string): CelCidr {
  const cidr = parseCidr(text)
  if (cidr) return cidr
  throw new CelError(`network address parse error during conversion from string: netip.ParsePrefix("${text}")`)
}

export function registerNetwork(library: Library): void {
  const { environment } = library
  for (const [name, type] of [
    ['kubernetes.URL', CelUrl],
    ['net.IP', CelIp],
    ['net.CIDR', CelCidr],
  ] as const) {
    registerClass(library, name, type)
    environment.registerOperator(`${name} == ${name}`, (a: CelUrl | CelIp | CelCidr, b: unknown) => a.equals(b))
  }
  registerUrls(library)
  registerIps(library)
  registerFunctions(library, {
    'cidr(string): net.CIDR': requiredCidr,
    'isCIDR(string): bool': (text: string) => parseCidr(text) !== undefined,
    'string(net.CIDR): string': (cidr: CelCidr) => String(cidr),
    'net.CIDR.containsIP(string): bool': (cidr: CelCidr, text: string) => cidr.contains(requiredIp(text)),
    'net.CIDR.containsIP(net.IP): bool': (cidr: CelCidr, ip: CelIp) => cidr.contains(ip),
    'net.CIDR.containsCIDR(string): bool': (cidr: CelCidr, text: string) => containsCidr(cidr, requiredCidr(text)),
    'net.CIDR.containsCIDR(net.CIDR): bool': containsCidr,
    'net.CIDR.ip(): net.IP': (cidr: CelCidr) => cidr.ip,
    'net.CIDR.prefixLength(): int': (cidr: CelCidr) => BigInt(cidr.length),
    'net.CIDR.masked(): net.CIDR': (cidr: CelCidr) => new CelCidr(cidr.ip.masked(cidr.length), cidr.length),
  })
}

function containsCidr(outer: CelCidr, inner: CelCidr): boolean {
  return inner.length >= outer.length && outer.contains(inner.ip)
}

function registerUrls(library: Library): void {
  registerFunctions(library, {
    'url(string): kubernetes.URL': (text: string) => {
      const url = parseUrl(text)
      if (url) return url
      throw new CelError(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      )
    },
    'isURL(string): bool': (text: string) => parseUrl(text) !== undefined,
    'kubernetes.URL.getScheme(): string': (url: CelUrl) => url.scheme,
    'kubernetes.URL.getHost(): string': (url: CelUrl) => url.host,
    'kubernetes.URL.getHostname(): string': (url: CelUrl) => url.hostname,
    'kubernetes.URL.getPort(): string': (url: CelUrl) => url.port,
    'kubernetes.URL.getEscapedPath(): string': (url: CelUrl) =>
      url.path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]]+/g, (part) => encodeURI(part).replace(/\?/g, '%3F')),
    'kubernetes.URL.getQuery(): map<string, list<string>>': (url: CelUrl) => {
      const query = new Map<string, string[]>()
      for (const [key, value] of new URLSearchParams(url.query)) query.set(key, [...(query.get(key) ?? []), value])
      return query
    },
  })
}

function registerIps(library: Library): void {
  registerFunctions(library, {
    'ip(string): net.IP': requiredIp,
    'isIP(string): bool': (text: string) => parseIp(text) !== undefined,
    'string(net.IP): string': (ip: CelIp) => String(ip),
    'net.IP.family(): int': (ip: CelIp) => BigInt(ip.family),
    'net.IP.isUnspecified(): bool': (ip: CelIp) => ip.isUnspecified,
    'net.IP.isLoopback(): bool': (ip: CelIp) => ip.isLoopback,
    'net.IP.isLinkLocalMulticast(): bool': (ip: CelIp) => ip.isLinkLocalMulticast,
    'net.IP.isLinkLocalUnicast(): bool': (ip: CelIp) => ip.isLinkLocalUnicast,
    'net.IP.isGlobalUnicast(): bool': (ip: CelIp) => ip.isGlobalUnicast,
  })
  registerNamespace(library, 'ip', {
    'isCanonical(string): bool': (text: string) => String(requiredIp(text)) === text,
  })
}
