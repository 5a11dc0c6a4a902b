/**
 * Which program answers for a Service, for those whom no proxy serves: this server's own requests.
 */

import { notFound, serviceUnavailable } from '@dinghy/shared/api/errors'
import { EndpointSlices, Services } from '@dinghy/shared/api/resources'
import type { Reader } from '../registry/reader.ts'

export interface Endpoint {
  host: string
  port: number
}

/** A ready endpoint by chance. `wanted` is a port's name or number; "" is the first port. Throws 404 or 503. */
export function endpointOf(reader: Reader, namespace: string, name: string, wanted: string): Endpoint {
  const service = reader.get(Services, namespace, name)
  if (!service) throw notFound('', 'services', name)
  const port = (service.spec.ports ?? []).find(
    (one) => wanted === '' || one.name === wanted || String(one.port) === wanted,
  )
  if (!port) {
    throw serviceUnavailable(`no service port ${JSON.stringify(wanted)} found for service ${JSON.stringify(name)}`)
  }
  const candidates = readyEndpoints(reader, namespace, name, port.name ?? '')
  const chosen = candidates[Math.floor(Math.random() * candidates.length)]
  if (!chosen) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`)
  return chosen
}

/** Who answers for a webhook or an APIService: unlike a client's, its Service may be the name of another machine. */
export function backendOf(reader: Reader, namespace: string, name: string, port: number): Endpoint {
  const { type, externalName = '' } = reader.get(Services, namespace, name)?.spec ?? {}
  if (type === 'ExternalName') return { host: externalName, port }
  return endpointOf(reader, namespace, name, String(port))
}

function readyEndpoints(reader: Reader, namespace: string, name: string, portName: string): Endpoint[] {
  return slicesOf(reader, namespace, name).flatMap((slice) => {
    const target = slice.ports?.find((one) => (one.name ?? '') === portName)?.port
    const ready = slice.endpoints.filter((endpoint) => endpoint.conditions?.ready !== false)
    return target ? ready.flatMap((endpoint) => endpoint.addresses.map((host) => ({ host, port: target }))) : []
  })
}

export function slicesOf(reader: Reader, namespace: string, name: string) {
  return reader
    .list(EndpointSlices, namespace)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name)
}
