/**
 * pods/eviction: a delete that asks the PodDisruptionBudgets first. `kubectl drain` goes this way.
 *
 * A budget is spent by counting `status.disruptionsAllowed` down with a compare-and-swap on the budget itself, so two
 * evictions at once cannot spend the same one; the disruption controller counts it up again when a replacement is
 * ready.
 */

import { badRequest, conflict, internalError, notFound, success, tooManyRequests } from '@dinghy/shared/api/errors'
import { PodDisruptionBudgets, Pods } from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import { isConditionTrue, setCondition } from '@dinghy/shared/api/conditions'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject, Pod, PodDisruptionBudget } from '@dinghy/shared/api/types'
import type { DeleteOptions } from '../../registry/deletion-plan.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import type { WriteContext } from '../../registry/write-context.ts'
import { decodeRequest } from '../decode-request.ts'
import { admit, admittedContext } from '../admit.ts'
import type { Exchange } from '../exchange.ts'
import type { Reply } from '../reply.ts'
import { jsonReply } from '../reply.ts'
import { isDryRun } from '../request-options.ts'
import type { Services } from '../services.ts'
import { refOf } from '../object-ref.ts'

interface Eviction extends KubernetesObject {
  deleteOptions?: DeleteOptions & { dryRun?: string[] }
}

export async function createEviction(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply> {
  const target = { group: 'policy', version: 'v1', kind: 'Eviction', type: 'policy.v1.Eviction', types: services.types }
  const sent = await decodeRequest<Eviction>(exchange, target, 'CreateOptions')
  const ref = refOf(exchange, definition)
  if (sent.metadata.name && sent.metadata.name !== ref.name)
    throw badRequest('name in URL does not match name in Eviction object')
  const asked = exchange.writeContext(isDryRun(exchange, 'CreateOptions', sent.deleteOptions?.dryRun))
  const kind = { group: 'policy', version: 'v1', kind: 'Eviction' }
  const { deleteOptions = {} } = await admit(exchange, services, {
    operation: 'CREATE',
    definition,
    kind,
    object: sent,
    context: asked,
  })
  const context = admittedContext(asked)
  const pod = services.reader.get(Pods, ref.namespace, ref.name)
  if (!pod) throw notFound('', 'pods', ref.name)
  const budget = ignoresBudgets(pod) ? undefined : budgetOf(services, pod)
  if (budget) await spend(services, budget, pod, context)
  // The pod that was weighed must be the pod that goes.
  const { uid = pod.metadata.uid, resourceVersion } = deleteOptions.preconditions ?? {}
  await services.store.update(
    definition,
    ref,
    (current) => disrupted(current as Pod, { uid, resourceVersion }, nowRfc3339(services.clock)),
    context,
    { subresource: 'status' },
  )
  await services.store.delete(definition, ref, { ...deleteOptions, preconditions: { uid } }, context)
  return jsonReply(success(), 201)
}

/** Says in the pod why it goes, as the pod failure policies of Jobs want to know. Changes `pod` in place. */
function disrupted(
  pod: Pod,
  { uid, resourceVersion }: { uid: string; resourceVersion: string | undefined },
  now: string,
): Pod {
  const { metadata } = pod
  const stale = (message: string) => conflict('', 'Pod', metadata.name, message)
  if (metadata.uid !== uid) {
    throw stale(
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    )
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    throw stale(
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    )
  }
  const reason = { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' }
  const condition = { type: 'DisruptionTarget', status: 'True' as const, ...reason }
  pod.status.conditions = setCondition(pod.status.conditions, condition, now)
  return pod
}

/** What serves nobody any more may always go. */
function ignoresBudgets({ metadata, status }: Pod): boolean {
  return Boolean(metadata.deletionTimestamp) || ['Succeeded', 'Failed', 'Pending'].includes(status.phase ?? '')
}

function budgetOf({ reader }: Services, pod: Pod): PodDisruptionBudget | undefined {
  const matching = reader
    .list(PodDisruptionBudgets, pod.metadata.namespace)
    .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), pod.metadata.labels))
  if (matching.length > 1) {
    throw internalError(
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    )
  }
  return matching[0]
}

async function spend(
  { store, resources, clock }: Services,
  budget: PodDisruptionBudget,
  pod: Pod,
  context: WriteContext,
) {
  const definition = resources.definitionOf(PodDisruptionBudgets)
  await store.update(
    definition,
    { namespace: budget.metadata.namespace, name: budget.metadata.name },
    (current) => spendOne(current as PodDisruptionBudget, pod, nowRfc3339(clock)),
    context,
    { subresource: 'status' },
  )
}

/** The budget with one disruption less. Throws TooManyRequests if there is none left. Changes `budget` in place. */
function spendOne(budget: PodDisruptionBudget, pod: Pod, now: string): PodDisruptionBudget {
  const { metadata, spec, status } = budget
  const name = metadata.name
  const healthy = isConditionTrue(pod.status.conditions, 'Ready')
  if (!healthy) {
    // A pod that is not ready costs nothing, if it is always allowed or enough others are healthy.
    const enoughWithoutIt =
      (status.currentHealthy ?? 0) >= (status.desiredHealthy ?? 0) && (status.desiredHealthy ?? 0) > 0
    if (spec.unhealthyPodEvictionPolicy === 'AlwaysAllow' || enoughWithoutIt) return budget
  }
  const refuse = (detail: string, seconds: number) =>
    tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", seconds, [
      { reason: 'DisruptionBudget', message: detail },
    ])
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    throw refuse(`The disruption budget ${name} is still being processed by the server.`, 10)
  }
  if (status.disruptionsAllowed === undefined || status.disruptionsAllowed < 0) {
    throw conflict('policy', 'poddisruptionbudgets', name, 'pdb disruptions allowed is negative')
  }
  if (status.disruptionsAllowed === 0) {
    throw refuse(
      `The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`,
      0,
    )
  }
  status.disruptionsAllowed--
  // Until the pod is seen to go, the controller must not count it as healthy.
  status.disruptedPods = { ...status.disruptedPods, [pod.metadata.name]: now }
  return budget
}
