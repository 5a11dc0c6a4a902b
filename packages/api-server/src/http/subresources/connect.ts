/**
 * pods/exec, attach and portforward: the client's connection becomes a raw one to the kubelet of the pod's node, which
 * speaks WebSocket or SPDY with it. This server looks at nothing that passes.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { admitConnection } from '../admit.ts'
import type { Exchange } from '../exchange.ts'
import { pipeHttp, pipeUpgrade } from '../pipe.ts'
import type { Reply } from '../reply.ts'
import { isTrue } from '../request-info.ts'
import type { Services } from '../services.ts'
import { chooseContainer, kubeletOf } from './pod-location.ts'

export async function connectToContainer(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply | undefined> {
  const { reader } = services
  const { namespace = '', name = '' } = exchange.info
  const pod = reader.get(Pods, namespace, name)
  if (!pod) throw notFound('', 'pods', name)
  const path = kubeletPath(exchange, pod)
  await admitConnection(exchange, services, definition, ...connectOptions(exchange))
  if (!pod.spec.nodeName) throw badRequest(`pod ${name} does not have a host assigned`)
  const target = { ...kubeletOf(services, pod.spec.nodeName), path }
  return await (exchange.upgrade ? pipeUpgrade(exchange, target) : pipeHttp(exchange, target))
}

/** The kind of the options, and what the query says, as admission is to see it. */
function connectOptions({ info, query }: Exchange): [kind: string, options: object] {
  if (info.subresource === 'portforward') {
    const ports = query
      .getAll('ports')
      .flatMap((text) => text.split(','))
      .map(Number)
    return ['PodPortForwardOptions', ports.length > 0 ? { ports } : {}]
  }
  const flags = ['stdin', 'stdout', 'stderr', 'tty'].filter((flag) => isTrue(query.get(flag)))
  const [container, command] = [query.get('container'), query.getAll('command')]
  const options = {
    ...Object.fromEntries(flags.map((flag) => [flag, true])),
    ...(container ? { container } : {}),
    ...(command.length > 0 ? { command } : {}),
  }
  return [info.subresource === 'exec' ? 'PodExecOptions' : 'PodAttachOptions', options]
}

function kubeletPath(exchange: Exchange, pod: Pod): string {
  const { namespace, name, subresource } = exchange.info
  const query = new URLSearchParams(exchange.query)
  if (subresource === 'portforward') return `/portForward/${namespace}/${name}?${query}`
  const container = chooseContainer(pod, exchange.parameter('container'))
  if (pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') {
    throw badRequest(`cannot exec into a container in a completed pod; current phase is ${pod.status.phase}`)
  }
  query.delete('container')
  return `/${subresource}/${namespace}/${name}/${container}?${query}`
}
