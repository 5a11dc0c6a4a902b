/**
 * Admission of what is not stored as it was sent: what comes to a subresource that speaks a kind of its own (a Scale, a
 * Binding, an Eviction, the options of an exec), and questions that are answered at once. What is stored then has been
 * admitted already, and the store does not ask again.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { GroupVersionKind } from '../registry/admission.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { WriteContext } from '../registry/write-context.ts'
import type { Exchange } from './exchange.ts'
import type { Services } from './services.ts'

export interface Sent<T extends KubernetesObject> {
  operation: 'CREATE' | 'UPDATE' | 'CONNECT'
  definition: ResourceDefinition
  kind?: GroupVersionKind
  object: T
  previous?: T
  /** Where the path does not name it. */
  name?: string
  context: WriteContext
}

/** What is left of the object when mutating admission is done. Throws what admission refuses it with. */
export async function admit<T extends KubernetesObject>(
  { info }: Exchange,
  { admission }: Services,
  { operation, definition, kind, object, previous, name, context }: Sent<T>,
): Promise<T> {
  const request = {
    operation,
    definition,
    // What is decoded knows more of its kind than is to be told.
    ...(kind ? { kind: { group: kind.group, version: kind.version, kind: kind.kind } } : {}),
    subresource: info.subresource,
    namespace: definition.namespaced ? info.namespace : undefined,
    name: info.name ?? name ?? '',
    object,
    previous,
    context,
  }
  await admission.run(request)
  return request.object
}

/** For the writes that follow from what has been admitted. */
export function admittedContext(context: WriteContext): WriteContext {
  return { ...context, isAdmitted: true }
}

/** What a client connects with: its query as the options of the subresource have it. */
export async function admitConnection(
  exchange: Exchange,
  services: Services,
  definition: ResourceDefinition,
  kind: string,
  options: object,
): Promise<void> {
  const object = { kind, apiVersion: 'v1', ...options } as unknown as KubernetesObject
  const context = exchange.writeContext(false)
  const sent = { operation: 'CONNECT', definition, kind: { group: '', version: 'v1', kind }, object, context } as const
  await admit(exchange, services, sent)
}
