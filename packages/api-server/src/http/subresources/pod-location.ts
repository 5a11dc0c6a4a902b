/**
 * Where a pod's containers can be reached: the kubelet of its node, and which container is meant if none is named.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import { Nodes } from '@dinghy/shared/api/resources'
import type { Node, Pod } from '@dinghy/shared/api/types'
import type { ClientTls } from '@dinghy/shared/http/client'
import type { Services } from '../services.ts'

/** Where something listens, and how it is spoken to there. */
export interface Location {
  scheme: 'http' | 'https'
  host: string
  port: number
  tls?: ClientTls | undefined
}

/** Throws NotFound if the node is gone. */
export function kubeletOf(
  { reader, kubeletTls: tls }: Pick<Services, 'reader' | 'kubeletTls'>,
  name: string,
): Location {
  const node = reader.get(Nodes, undefined, name)
  if (!node) throw notFound('', 'nodes', name)
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || 10250
  return { scheme: tls ? 'https' : 'http', host: addressOf(node), port, tls }
}

/**
 * Upstream's order of preference is Hostname first; here names of nodes do not resolve, so their addresses come first.
 */
function addressOf({ metadata, status }: Node): string {
  const addresses = status?.addresses ?? []
  const address = ['InternalIP', 'ExternalIP', 'Hostname']
    .map((type) => addresses.find((one) => one.type === type)?.address)
    .find((found) => found !== undefined)
  if (!address) throw badRequest(`no preferred addresses found for node ${JSON.stringify(metadata.name)}`)
  return address
}

/** Throws BadRequest if the choice is not clear or there is no such container. */
export function chooseContainer(pod: Pod, wanted: string | undefined): string {
  const { name } = pod.metadata
  const names = (containers: { name: string }[] | undefined) => (containers ?? []).map((container) => container.name)
  const regular = names(pod.spec.containers)
  const init = names(pod.spec.initContainers)
  const ephemeral = names(pod.spec.ephemeralContainers)
  if (wanted) {
    if ([...regular, ...init, ...ephemeral].includes(wanted)) return wanted
    throw badRequest(`container ${wanted} is not valid for pod ${name}`)
  }
  const [only, ...more] = regular
  if (only !== undefined && more.length === 0) return only
  const others = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : ''
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${regular.join(' ')}]${others}`)
}
