/**
 * The metadata that the server owns: filled in at creation, carried over at every update, whatever the client sent.
 */

import { randomUUID } from 'node:crypto'
import { badRequest, conflict } from '@dinghy/shared/api/errors'
import { apiVersionOf } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject, ObjectMeta } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from './resource-definition.ts'
import { sameJson } from '@dinghy/shared/api/same-json'

type Sent = Partial<ObjectMeta> & { selfLink?: string }

/** Metadata as the client may have sent it: anything can be missing. */
export function sentMetadata(object: KubernetesObject): Sent {
  return (object.metadata ??= {} as ObjectMeta)
}

/** What the URL says must not contradict what the object says. Fills in what the object leaves open. */
export function applyScope(
  definition: ResourceDefinition,
  object: KubernetesObject,
  ref: { namespace?: string | undefined; name?: string | undefined },
): void {
  const metadata = sentMetadata(object)
  const apiVersion = apiVersionOf(definition)
  object.apiVersion ??= apiVersion
  object.kind ??= definition.kind
  if (object.apiVersion !== apiVersion || object.kind !== definition.kind) {
    const sent = `${object.apiVersion}, Kind=${object.kind}`
    throw badRequest(
      `the API version in the data (${sent}) does not match the expected API version (${apiVersion}, Kind=${definition.kind})`,
    )
  }
  if (!definition.namespaced) delete metadata.namespace
  else if (ref.namespace !== undefined) {
    if (metadata.namespace && metadata.namespace !== ref.namespace) {
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
    }
    metadata.namespace = ref.namespace
  }
  if (ref.name === undefined) return
  if (metadata.name && metadata.name !== ref.name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${ref.name})`)
  }
  metadata.name = ref.name
}

export function fillForCreate(definition: ResourceDefinition, object: KubernetesObject, nowMs: number): void {
  const metadata = sentMetadata(object)
  if (metadata.resourceVersion && metadata.resourceVersion !== '0') {
    throw badRequest('resourceVersion should not be set on objects to be created')
  }
  delete metadata.resourceVersion
  delete metadata.selfLink
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  metadata.uid = randomUUID()
  metadata.creationTimestamp = rfc3339(nowMs)
  if (definition.strategy.generationOf) metadata.generation = 1
  else delete metadata.generation
}

const ownedByServer = [
  'uid',
  'creationTimestamp',
  'generateName',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const

/** Throws Conflict if the client spoke of another incarnation of the object. */
export function carryOver(definition: ResourceDefinition, next: KubernetesObject, previous: KubernetesObject): void {
  const metadata = sentMetadata(next)
  const old = previous.metadata
  if (metadata.uid && metadata.uid !== old.uid) {
    const message = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.uid}`
    throw conflict(definition.group, definition.plural, old.name, message)
  }
  delete metadata.selfLink
  for (const field of ownedByServer) {
    if (old[field] === undefined) delete metadata[field]
    else Object.assign(metadata, { [field]: old[field] })
  }
}

/** Counts a change of what the author wants, as opposed to what is. Call when `next` is final. */
export function bumpGeneration(
  definition: ResourceDefinition,
  next: KubernetesObject,
  previous: KubernetesObject,
): void {
  const { strategy } = definition
  if (!strategy.generationOf || sameJson(strategy.generationOf(next), strategy.generationOf(previous))) return
  next.metadata.generation = (previous.metadata.generation ?? 0) + 1
}
