/**
 * Creating and deleting the pods of an owner, with the events that `kubectl describe` shows. Every workload controller
 * goes through here, so that all pods come to be in the same way and every attempt leaves a trace.
 */

import { hasReason, StatusError } from '@dinghy/shared/api/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { Pods, type Resource } from '@dinghy/shared/api/resources'
import type { Draft, KubernetesObject, Pod, PodTemplateSpec } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { EventRecorder } from '@dinghy/shared/client/events'

export interface PodControl {
  client: ApiClient
  events: EventRecorder
}

/** A pod as the template describes it, controlled by `owner`, with a name that the server completes. */
export function podFromTemplate(
  template: PodTemplateSpec | undefined,
  owner: KubernetesObject,
  resource: Resource,
): Draft<Pod> {
  const { labels, annotations, finalizers } = template?.metadata ?? {}
  return {
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace ?? '',
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [ownerReferenceTo(owner, resource)],
    },
    spec: template?.spec ?? { containers: [] },
  }
}

export async function createPod(control: PodControl, owner: KubernetesObject, draft: Draft<Pod>, signal: AbortSignal) {
  try {
    const pod = await control.client.create(Pods, draft, {}, signal)
    control.events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`)
    return pod
  } catch (error) {
    // In a namespace that is going away every creation fails, as it should; nobody needs to be told.
    if (!signal.aborted && !isNamespaceTerminating(error)) {
      control.events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`)
    }
    throw error
  }
}

/** Deletes this very pod, not one that got its name; one that is already gone is fine. */
export async function deletePod(control: PodControl, owner: KubernetesObject, pod: Pod, signal: AbortSignal) {
  const { namespace, name, uid } = pod.metadata
  try {
    await control.client.delete(Pods, { namespace, name }, { preconditions: { uid } }, signal)
  } catch (error) {
    // Another uid under this name is a conflict: ours is gone.
    if (hasReason(error, 'NotFound', 'Conflict')) return
    if (!signal.aborted) control.events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`)
    throw error
  }
  control.events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`)
}

export function isNamespaceTerminating(error: unknown): boolean {
  const causes = error instanceof StatusError ? (error.status.details?.causes ?? []) : []
  return causes.some((cause) => cause.reason === 'NamespaceTerminating')
}
