/**
 * pods/log: fetched from the kubelet of the pod's node, as it comes.
 */

import { Pods } from '@dinghy/shared/api/resources'
import { badRequest, internalError, notFound } from '@dinghy/shared/api/errors'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import type { Exchange } from '../exchange.ts'
import { pipeHttp, type Refusal } from '../pipe.ts'
import type { Reply } from '../reply.ts'
import { textReply } from '../reply.ts'
import type { Services } from '../services.ts'
import { chooseContainer, kubeletOf } from './pod-location.ts'

export async function podLog(exchange: Exchange, _definition: ResourceDefinition, services: Services): Promise<Reply> {
  const { namespace = '', name = '' } = exchange.info
  const pod = services.reader.get(Pods, namespace, name)
  if (!pod) throw notFound('', 'pods', name)
  const container = chooseContainer(pod, exchange.parameter('container'))
  // No node, no containers, no output: as upstream, an empty log rather than an error.
  if (!pod.spec.nodeName) return textReply('')
  const query = new URLSearchParams(exchange.query)
  query.delete('container')
  const path = `/containerLogs/${namespace}/${name}/${container}?${query}`
  return await pipeHttp(exchange, { ...kubeletOf(services, pod.spec.nodeName), path }, refusalOf(name))
}

/** A kubelet says in plain text why there is no log. Follows upstream's GenericHttpResponseChecker. */
function refusalOf(pod: string): Refusal {
  return (code, text) => {
    if (code === 400) return badRequest(text)
    if (code === 404) return notFound('', 'pods/log', pod)
    return internalError(new Error(text))
  }
}
