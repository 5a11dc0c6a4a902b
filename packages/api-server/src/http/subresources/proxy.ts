/**
 * nodes/proxy, pods/proxy and services/proxy: HTTP to what a client outside the cluster could not reach.
 *
 * NAME may be NAME:port or scheme:NAME:port, port being a number or, for a Service, a port's name.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { admitConnection } from '../admit.ts'
import type { Exchange } from '../exchange.ts'
import { pipeHttp, pipeUpgrade } from '../pipe.ts'
import type { Reply } from '../reply.ts'
import { textReply } from '../reply.ts'
import { endpointOf } from '../service-endpoint.ts'
import type { Services } from '../services.ts'
import type { Location } from './pod-location.ts'
import { kubeletOf } from './pod-location.ts'

export async function proxy(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply | undefined> {
  const { namespace = '', name = '', rest } = exchange.info
  const wanted = parseTarget(name)
  await admitConnection(exchange, services, definition, `${definition.kind}ProxyOptions`, rest ? { path: rest } : {})
  const location = locate(services, definition.plural, namespace, wanted)
  const { url } = exchange.request
  const search = url.includes('?') ? url.slice(url.indexOf('?')) : ''
  const { upgrade, info } = exchange
  // Links on the page that comes are relative to a directory.
  if (rest === '' && info.verb === 'get' && !upgrade) {
    return { ...textReply('', 301), headers: { location: `${info.path}/${search}` } }
  }
  const target = { ...location, path: `${rest || '/'}${search}` }
  return await (exchange.upgrade ? pipeUpgrade(exchange, target) : pipeHttp(exchange, target))
}

interface Wanted {
  /** Undefined, if nothing was said: pods and Services are spoken to by HTTP, kubelets as they serve. */
  scheme: 'http' | 'https' | undefined
  name: string
  port: string
}

function parseTarget(text: string): Wanted {
  const parts = text.split(':')
  const [scheme, name, port] = parts.length === 3 ? parts : ['', parts[0], parts[1]]
  if (parts.length > 3 || !name) throw badRequest(`invalid proxy target ${JSON.stringify(text)}`)
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') {
    throw badRequest(`invalid proxy target ${JSON.stringify(text)}`)
  }
  return { scheme: scheme || undefined, name, port: port ?? '' }
}

function locate(services: Services, plural: string, namespace: string, wanted: Wanted): Location {
  const { reader } = services
  const { scheme = 'http', name, port } = wanted
  if (plural === 'nodes') {
    const kubelet = kubeletOf(services, name)
    const isKubelet = port === '' || Number(port) === kubelet.port
    if (isKubelet) return kubelet
    // Whatever else listens on a node is not to be shown this server's certificate.
    return { scheme, host: kubelet.host, port: Number(port) }
  }
  if (plural === 'services') return { scheme, ...endpointOf(reader, namespace, name, port) }
  const pod = reader.get(Pods, namespace, name)
  if (!pod) throw notFound('', 'pods', name)
  if (!pod.status.podIP) throw badRequest(`address not allowed: pod ${name} has no IP yet`)
  const first = pod.spec.containers.flatMap((container) => container.ports ?? [])[0]
  return { scheme, host: pod.status.podIP, port: port ? Number(port) : (first?.containerPort ?? 80) }
}
