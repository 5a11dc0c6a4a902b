/**
 * Where a Service can be reached from this process: at one of its ready endpoints, chosen at random. For the proxy
 * subresource and for webhooks, which do not go through the proxies of nodes.
 */

import { notFound, serviceUnavailable } from '@dinghy/shared/api/errors'
import { EndpointSlices, Services } from '@dinghy/shared/api/resources'
import type { Reader } from './reader.ts'

/** `wanted` is a port's number or name; "" takes the first. Throws NotFound or ServiceUnavailable. */
export function locateService(
  reader: Reader,
  namespace: string,
  name: string,
  wanted: string,
): { host: string; port: number } {
  const service = reader.get(Services, namespace, name)
  if (!service) throw notFound('', 'services', name)
  const port = (service.spec.ports ?? []).find(
    (one) => wanted === '' || one.name === wanted || String(one.port) === wanted,
  )
  if (!port) {
    throw serviceUnavailable(`no service port ${JSON.stringify(wanted)} found for service ${JSON.stringify(name)}`)
  }
  const slices = reader
    .list(EndpointSlices, namespace)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name)
  const candidates = slices.flatMap((slice) => {
    const target = slice.ports?.find((one) => (one.name ?? '') === (port.name ?? ''))?.port
    const ready = slice.endpoints.filter((endpoint) => endpoint.conditions?.ready !== false)
    return target ? ready.flatMap((endpoint) => endpoint.addresses.map((host) => ({ host, port: target }))) : []
  })
  const chosen = candidates[Math.floor(Math.random() * candidates.length)]
  if (!chosen) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`)
  return chosen
}
