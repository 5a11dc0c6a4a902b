/**
 * Discovery: which resources does the server know, and what can be done with them?
 *
 * Callers may rely on: each kind appears once, in the version that the server prefers; custom resources are like any
 * other. Uses aggregated discovery (apidiscovery.k8s.io/v2): two requests, however many groups there are.
 */

import type { Resource } from '../api/resources.ts'
import type { ApiClient } from './api-client.ts'
import { readJson } from '../http/client.ts'

export interface DiscoveredResource extends Resource {
  verbs: string[]
}

interface GroupList {
  items: {
    metadata: { name?: string }
    /** In the order of the server's preference. */
    versions: { version: string; resources?: ResourceEntry[] }[]
  }[]
}

interface ResourceEntry {
  resource: string
  /** Absent for resources that are only there for their subresources. */
  responseKind?: { group: string; version: string; kind: string }
  scope: 'Namespaced' | 'Cluster'
  verbs: string[]
}

const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'

export async function discover(client: ApiClient, signal?: AbortSignal): Promise<DiscoveredResource[]> {
  const lists = await Promise.all(['/api', '/apis'].map((path) => groupsAt(client, path, signal)))
  return lists.flatMap((list) => preferredResources(list))
}

async function groupsAt(client: ApiClient, path: string, signal: AbortSignal | undefined): Promise<GroupList> {
  return await readJson<GroupList>(await client.raw('GET', path, undefined, { Accept: accept }, signal))
}

function preferredResources({ items }: GroupList): DiscoveredResource[] {
  return items.flatMap(({ metadata: { name: group = '' }, versions }) => {
    const byPlural = new Map<string, DiscoveredResource>()
    for (const { version, resources = [] } of versions) {
      for (const { resource: plural, responseKind, scope, verbs } of resources) {
        if (!responseKind || byPlural.has(plural)) continue
        const namespaced = scope === 'Namespaced'
        byPlural.set(plural, { group, version, kind: responseKind.kind, plural, namespaced, verbs })
      }
    }
    return [...byPlural.values()]
  })
}
