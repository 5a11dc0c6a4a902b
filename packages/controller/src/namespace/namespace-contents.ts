/**
 * Emptying a namespace: delete whatever is in it, of every kind that the server knows, custom ones included, and count
 * what is left. Pods go first and alone: while they run, the policies and secrets around them should stay in force
 * (upstream: OrderedNamespaceDeletion).
 */

import { messageOf } from '@dinghy/shared/api/message-of'
import { apiVersionOf, Pods } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { discover, type DiscoveredResource } from '@dinghy/shared/client/discovery'
import type { Progress } from './namespace-status.ts'

export async function emptyNamespace(client: ApiClient, namespace: string, signal: AbortSignal): Promise<Progress> {
  const progress: Progress = { deletionFailures: [], remaining: new Map(), finalizers: new Map() }
  const resources = await discoverContents(client, progress, signal)
  const isPods = ({ group, plural }: DiscoveredResource): boolean => group === Pods.group && plural === Pods.plural
  for (const resource of resources.filter(isPods)) await emptyOf(client, namespace, resource, progress, signal)
  if (progress.remaining.size > 0 || progress.deletionFailures.length > 0) return progress
  const others = resources.filter((resource) => !isPods(resource))
  await Promise.all(others.map((resource) => emptyOf(client, namespace, resource, progress, signal)))
  return progress
}

async function discoverContents(
  client: ApiClient,
  progress: Progress,
  signal: AbortSignal,
): Promise<DiscoveredResource[]> {
  try {
    const all = await discover(client, signal)
    return all.filter(({ namespaced, verbs }) => namespaced && verbs.includes('list') && verbs.includes('delete'))
  } catch (error) {
    if (signal.aborted) throw error
    progress.discoveryFailure = messageOf(error)
    return []
  }
}

async function emptyOf(
  client: ApiClient,
  namespace: string,
  resource: DiscoveredResource,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  try {
    const before = await listOf(client, namespace, resource, signal)
    if (before.length === 0) return
    await deleteAll(client, namespace, resource, before, signal)
    count(resource, await listOf(client, namespace, resource, signal), progress)
  } catch (error) {
    if (signal.aborted) throw error
    progress.deletionFailures.push(`${apiVersionOf(resource)}, Resource=${resource.plural}: ${messageOf(error)}`)
  }
}

async function listOf(
  client: ApiClient,
  namespace: string,
  resource: DiscoveredResource,
  signal: AbortSignal,
): Promise<KubernetesObject[]> {
  return (await client.list(resource, { namespace, metadataOnly: true }, signal)).items
}

async function deleteAll(
  client: ApiClient,
  namespace: string,
  resource: DiscoveredResource,
  objects: KubernetesObject[],
  signal: AbortSignal,
): Promise<void> {
  // Not Foreground: whatever depends on these objects is in the namespace too, and goes with it.
  const options = { propagationPolicy: 'Background' } as const
  if (resource.verbs.includes('deletecollection')) {
    await client.deleteCollection(resource, { namespace }, options, signal)
    return
  }
  const waiting = objects.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  for (const { metadata } of waiting) await client.delete(resource, metadata, options, signal)
}

function count({ group, plural }: DiscoveredResource, left: KubernetesObject[], progress: Progress): void {
  // Objects of the core group are listed as "pods.", with the dot, as upstream prints them.
  if (left.length > 0) progress.remaining.set(`${plural}.${group}`, left.length)
  for (const finalizer of left.flatMap(({ metadata }) => metadata.finalizers ?? [])) {
    progress.finalizers.set(finalizer, (progress.finalizers.get(finalizer) ?? 0) + 1)
  }
}
