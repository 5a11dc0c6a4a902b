/**
 * pods/binding: how a scheduler says "this pod runs there". It can be said once.
 */

import { badRequest, conflict, invalid, success } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { setCondition } from '@dinghy/shared/api/conditions'
import { Pods } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { Binding, KubernetesObject, Pod } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { decodeRequest } from '../decode-request.ts'
import { admit, admittedContext } from '../admit.ts'
import type { Exchange } from '../exchange.ts'
import type { Reply } from '../reply.ts'
import { jsonReply } from '../reply.ts'
import { isDryRun } from '../request-options.ts'
import type { Services } from '../services.ts'

/** Serves pods/NAME/binding, and the older bindings/ of a namespace, where only the body names the pod. */
export async function createBinding(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply> {
  const dryRun = isDryRun(exchange, 'CreateOptions')
  const target = { group: '', version: 'v1', kind: 'Binding', type: 'core.v1.Binding', types: services.types }
  const sent = await decodeRequest<Binding & KubernetesObject>(exchange, target, 'CreateOptions')
  const name = exchange.info.name ?? sent.metadata.name
  const context = exchange.writeContext(dryRun)
  const binding = await admit(exchange, services, {
    operation: 'CREATE',
    definition,
    kind: { group: '', version: 'v1', kind: 'Binding' },
    object: sent,
    name,
    context,
  })
  requireValid(binding, name)
  const pods = services.resources.definitionOf(Pods)
  const ref = { namespace: exchange.info.namespace, name }
  await services.store.update(
    pods,
    ref,
    (current) => bind(pods, current as Pod, binding, nowRfc3339(services.clock)),
    admittedContext(context),
    { subresource: 'binding' },
  )
  return jsonReply(success(), 201)
}

/** The pod, bound. Throws Conflict if it cannot be any more. Changes `pod` in place. */
export function bind(
  { group, plural }: ResourceDefinition,
  pod: Pod,
  { metadata, target }: Binding & KubernetesObject,
  now: string,
): Pod {
  const { name } = pod.metadata
  const refuse = (message: string) => conflict(group, `${plural}/binding`, name, message)
  const { uid, resourceVersion } = metadata as Partial<KubernetesObject['metadata']>
  if (uid && uid !== pod.metadata.uid) {
    throw refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`)
  }
  if (resourceVersion && resourceVersion !== pod.metadata.resourceVersion) {
    throw refuse(
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${pod.metadata.resourceVersion}`,
    )
  }
  if (pod.metadata.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`)
  if (pod.spec.nodeName) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`)
  if (pod.spec.schedulingGates?.length) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`)
  pod.spec.nodeName = target.name
  pod.metadata.annotations = { ...pod.metadata.annotations, ...metadata.annotations }
  if (Object.keys(pod.metadata.annotations).length === 0) delete pod.metadata.annotations
  pod.status.conditions = setCondition(pod.status.conditions, { type: 'PodScheduled', status: 'True' }, now)
  return pod
}

function requireValid({ metadata, target }: Binding & KubernetesObject, name: string): void {
  if (metadata.name && metadata.name !== name) {
    throw badRequest('name in URL does not match name in Binding object')
  }
  const problems = []
  if (target?.kind && target.kind !== 'Node') {
    problems.push(fieldErrors.notSupported('target.kind', target.kind, ['Node', '<empty>']))
  }
  if (!target?.name) problems.push(fieldErrors.required('target.name'))
  if (problems.length > 0) throw invalid('', 'Binding', name, problems)
}
