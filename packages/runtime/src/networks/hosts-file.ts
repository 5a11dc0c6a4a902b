/**
 * /etc/hosts and /etc/resolv.conf of a container. Pure.
 */

const fixed = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'ff00::0\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
]

export interface HostEntry {
  ip: string
  names: string[]
}

/** `extra` are the "name:ip" of --add-host; `peers` the containers that can be reached by name. */
export function hostsFile(own: HostEntry[], extra: readonly string[], peers: HostEntry[], gateway: string): string {
  const lines = [
    ...fixed,
    ...extra.map((entry) => {
      const [name = '', ...ip] = entry.split(/[:=]/)
      const address = ip.join(':')
      return `${address === 'host-gateway' ? gateway : address}\t${name}`
    }),
    ...own.map(entryLine),
    ...peers.map(entryLine),
  ]
  return `${lines.join('\n')}\n`
}

function entryLine({ ip, names }: HostEntry): string {
  return `${ip}\t${[...new Set(names)].join(' ')}`
}

/** From a network namespace of its own: not a server on this machine's loopback interface, and nothing by IPv6. */
export function isReachableServer(address: string): boolean {
  return !address.startsWith('127.') && !address.includes(':')
}

/**
 * Where a name server of ours answers at `server`: it alone. Every name is asked for as it is before a search domain is
 * put behind it, unless somebody chose otherwise.
 */
export function namedResolvConf(server: string, host: string, search: string[], options: string[]): string {
  const lines = resolvConf(host, [server], search, options).split('\n')
  const ofKind = (keyword: string) => lines.filter((line) => line.split(/\s+/)[0] === keyword)
  const chosen = ofKind('options').flatMap((line) => line.trim().split(/\s+/).slice(1))
  const all = chosen.some((option) => /^ndots:\d+$/.test(option)) ? chosen : [...chosen, 'ndots:0']
  return `${[`nameserver ${server}`, ...ofKind('search'), ...ofKind('domain'), `options ${all.join(' ')}`].join('\n')}\n`
}

/**
 * `host` is the machine's own file, of which options that a container sets replace the like. Servers of the machine
 * that the container cannot reach are left out; Docker would put a public one in their place, which is not ours to
 * choose.
 */
export function resolvConf(
  host: string,
  dns: string[],
  search: string[],
  options: string[],
  isReachable: (server: string) => boolean = () => true,
): string {
  const kept = host.split('\n').filter((line) => {
    const [keyword, value = ''] = line.split(/\s+/)
    if (keyword === 'nameserver') return dns.length === 0 && isReachable(value)
    if (keyword === 'search' || keyword === 'domain') return search.length === 0
    if (keyword === 'options') return options.length === 0
    return false
  })
  const own = [
    ...dns.map((server) => `nameserver ${server}`),
    ...(search.length > 0 && search[0] !== '.' ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ]
  return `${[...kept, ...own].join('\n')}\n`
}
