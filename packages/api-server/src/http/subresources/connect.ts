/**
 * pods/exec, attach and portforward: the client's connection becomes a raw one to the kubelet of the pod's node, which
 * speaks WebSocket or SPDY with it. This server looks at nothing that passes.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import type { Exchange } from '../exchange.ts'
import { pipeHttp, pipeUpgrade } from '../pipe.ts'
import type { Reply } from '../reply.ts'
import type { Services } from '../services.ts'
import { chooseContainer, kubeletOf } from './pod-location.ts'

export async function connectToContainer(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply | undefined> {
  const { reader, admission } = services
  const { namespace = '', name = '', subresource } = exchange.info
  const pod = reader.get(Pods, namespace, name)
  if (!pod) throw notFound('', 'pods', name)
  const path = kubeletPath(exchange, pod)
  const context = exchange.writeContext(false)
  const settle = await admission.validate({
    operation: 'CONNECT',
    definition,
    subresource,
    namespace,
    name,
    object: undefined,
    previous: pod,
    context,
  })
  settle()
  if (!pod.spec.nodeName) throw badRequest(`pod ${name} does not have a host assigned`)
  const target = { ...kubeletOf(services, pod.spec.nodeName), path }
  return await (exchange.upgrade ? pipeUpgrade(exchange, target) : pipeHttp(exchange, target))
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
