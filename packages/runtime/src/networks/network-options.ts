/**
 * What a client may ask of a network, and what of it it would not get here: that is refused, never dropped. Pure.
 *
 * Options of the driver that Docker's own bridges do not know are ignored, as there.
 */
import { badParameter } from '@dinghy/shared/docker/errors'

export interface NetworkRequest {
  Name?: string
  Driver?: string
  Internal?: boolean
  Attachable?: boolean
  EnableIPv4?: boolean
  EnableIPv6?: boolean
  Scope?: string
  Ingress?: boolean
  ConfigOnly?: boolean
  ConfigFrom?: { Network?: string }
  Labels?: Record<string, string>
  Options?: Record<string, string>
  IPAM?: {
    Driver?: string
    Options?: Record<string, string>
    Config?: {
      Subnet?: string
      Gateway?: string
      IPRange?: string
      AuxiliaryAddresses?: Record<string, string> | null
    }[]
  }
}

/** Options of `com.docker.network.` that work. */
const known = ['bridge.name', 'bridge.enable_icc', 'bridge.enable_ip_masquerade', 'driver.mtu']

const rules: ((request: NetworkRequest) => string | undefined)[] = [
  ({ EnableIPv6 }) => (EnableIPv6 ? 'IPv6 is not supported: networks have IPv4 addresses only' : undefined),
  ({ EnableIPv4 }) => (EnableIPv4 === false ? 'IPv4 cannot be disabled: networks have IPv4 addresses only' : undefined),
  ({ Scope = '' }) =>
    ['', 'local'].includes(Scope) ? undefined : `scope ${Scope} is not supported: there is no swarm`,
  ({ Ingress }) => (Ingress ? 'an ingress network is not supported: there is no swarm' : undefined),
  ({ ConfigOnly, ConfigFrom }) =>
    ConfigOnly || ConfigFrom?.Network ? 'configuration-only networks are not supported' : undefined,
  ({ IPAM }) =>
    ['', 'default'].includes(IPAM?.Driver ?? '') ? undefined : `the IPAM driver ${IPAM?.Driver} is not supported`,
  ({ IPAM }) => ((IPAM?.Config ?? []).length > 1 ? "bridge driver doesn't support multiple subnets" : undefined),
  ({ IPAM }) =>
    (IPAM?.Config ?? []).some(({ Subnet, Gateway, IPRange }) => !Subnet && (Gateway || IPRange))
      ? 'invalid network config: a gateway or an ip-range needs a subnet'
      : undefined,
  ({ Options }) => {
    const { 'com.docker.network.driver.mtu': mtu = '' } = Options ?? {}
    const isMtu = /^\d{2,5}$/.test(mtu) && Number(mtu) >= 68 && Number(mtu) <= 65_535
    return mtu === '' || isMtu ? undefined : `invalid MTU ${mtu}`
  },
  ({ Options }) => {
    const { 'com.docker.network.bridge.name': name = '' } = Options ?? {}
    return /^[\w.-]{0,15}$/.test(name) ? undefined : `invalid name of a bridge: ${name}`
  },
  ({ Options }) => {
    const option = Object.keys(Options ?? {}).find((name) => {
      const [, rest = ''] = /^com\.docker\.network\.(.+)$/.exec(name) ?? []
      return rest !== '' && !known.includes(rest)
    })
    return option === undefined ? undefined : `the option ${option} is not supported`
  },
]

/** Throws a 400 for the first thing that cannot be had. */
export function checkNetworkOptions(request: NetworkRequest): void {
  for (const rule of rules) {
    const refusal = rule(request)
    if (refusal !== undefined) throw badParameter(refusal)
  }
}
