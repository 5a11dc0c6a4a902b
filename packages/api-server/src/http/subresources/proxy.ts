/**
 * nodes/proxy, pods/proxy and services/proxy: HTTP to what a client outside the cluster could not reach.
 *
 * NAME may be NAME:port or scheme:NAME:port, port being a number or, for a Service, a port's name.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import type { Reader } from '../../registry/reader.ts'
import { locateService } from '../../registry/service-endpoints.ts'
import type { Exchange } from '../exchange.ts'
import { pipeHttp, pipeUpgrade } from '../pipe.ts'
import type { Reply } from '../reply.ts'
import { textReply } from '../reply.ts'
import type { Services } from '../services.ts'
import type { KubeletAddress } from './pod-location.ts'
import { kubeletOf } from './pod-location.ts'

export async function proxy(
  exchange: Exchange,
  { plural }: ResourceDefinition,
  { reader }: Services,
): Promise<Reply | undefined> {
  const { namespace = '', name = '', rest } = exchange.info
  const wanted = parseTarget(name)
  const { host, port } = locate(reader, plural, namespace, wanted)
  const { url } = exchange.request
  const search = url.includes('?') ? url.slice(url.indexOf('?')) : ''
  const { upgrade, info } = exchange
  // Links on the page that comes are relative to a directory.
  if (rest === '' && info.verb === 'get' && !upgrade) {
    return { ...textReply('', 301), headers: { location: `${info.path}/${search}` } }
  }
  const target = { scheme: wanted.scheme, host, port, path: `${rest || '/'}${search}` }
  return await (exchange.upgrade ? pipeUpgrade(exchange, target) : pipeHttp(exchange, target))
}

interface Wanted {
  scheme: 'http' | 'https'
  name: string
  port: string
}

export function parseTarget(text: string): Wanted {
  const parts = text.split(':')
  const [scheme, name, port] = parts.length === 3 ? parts : ['', parts[0], parts[1]]
  if (parts.length > 3 || !name) throw badRequest(`invalid proxy target ${JSON.stringify(text)}`)
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') {
    throw badRequest(`invalid proxy target ${JSON.stringify(text)}`)
  }
  return { scheme: scheme || 'http', name, port: port ?? '' }
}

function locate(reader: Reader, plural: string, namespace: string, { name, port }: Wanted): KubeletAddress {
  if (plural === 'nodes') {
    const kubelet = kubeletOf(reader, name)
    return port ? { host: kubelet.host, port: Number(port) } : kubelet
  }
  if (plural === 'services') return locateService(reader, namespace, name, port)
  const pod = reader.get(Pods, namespace, name)
  if (!pod) throw notFound('', 'pods', name)
  if (!pod.status.podIP) throw badRequest(`address not allowed: pod ${name} has no IP yet`)
  const first = pod.spec.containers.flatMap((container) => container.ports ?? [])[0]
  return { host: pod.status.podIP, port: port ? Number(port) : (first?.containerPort ?? 80) }
}
