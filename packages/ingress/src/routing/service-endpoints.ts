/**
 * The endpoints behind a port of a Service, and how they are spoken to. Pure.
 *
 * As upstream's proxies: those that are ready, and those that end but still serve only when no other is left. Topology
 * is not looked at: this process is on no node.
 */

import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import type { ServicePortRef } from './model.ts'

/** What is spoken to a program: HTTP/1.1, HTTP/2 in the clear (h2c), or HTTP/1.1 on TLS. */
export type BackendProtocol = 'http' | 'h2c' | 'https'

export interface ServiceEndpoints {
  protocol: BackendProtocol
  addresses: { address: string; port: number }[]
}

/** Upstream's names (KEP-3726), and those that people write. WebSockets begin as HTTP/1.1. */
const protocols: Record<string, BackendProtocol> = {
  'kubernetes.io/h2c': 'h2c',
  h2c: 'h2c',
  grpc: 'h2c',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'https',
  http: 'http',
  https: 'https',
}

/** Undefined for what this proxy does not speak. */
export function backendProtocol(appProtocol: string | undefined): BackendProtocol | undefined {
  return appProtocol === undefined || appProtocol === '' ? 'http' : protocols[appProtocol.toLowerCase()]
}

export function servicePort({ spec }: Service, port: ServicePortRef['port']) {
  return (spec.ports ?? []).find((one) => (typeof port === 'number' ? one.port === port : one.name === port))
}

/** Undefined when the Service has no such port, or it is not to be spoken to. */
export function endpointsOf(
  service: Service,
  port: ServicePortRef['port'],
  slices: readonly EndpointSlice[],
): ServiceEndpoints | undefined {
  const wanted = servicePort(service, port)
  const protocol = backendProtocol(wanted?.appProtocol)
  if (!wanted || !protocol || (wanted.protocol ?? 'TCP') !== 'TCP') return undefined
  if (service.spec.type === 'ExternalName') {
    const { externalName } = service.spec
    return { protocol, addresses: externalName ? [{ address: externalName, port: wanted.port }] : [] }
  }
  const ready = new Map<string, { address: string; port: number }>()
  const ending = new Map<string, { address: string; port: number }>()
  for (const { addressType, endpoints, ports } of slices) {
    if (addressType === 'FQDN') continue
    const number = (ports ?? []).find(({ name = '' }) => name === (wanted.name ?? ''))?.port
    if (number === undefined) continue
    for (const { addresses, conditions = {} } of endpoints) {
      const [address] = addresses
      const { ready: isReady = true, serving = isReady, terminating = false } = conditions
      if (address === undefined) continue
      if (isReady && !terminating) ready.set(`${address} ${number}`, { address, port: number })
      else if (serving && terminating) ending.set(`${address} ${number}`, { address, port: number })
    }
  }
  return { protocol, addresses: [...(ready.size > 0 ? ready : ending).values()] }
}
