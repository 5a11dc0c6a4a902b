/**
 * From what people type (`po`, `deploy/web`, `services`) to the resource the API server means, by its own discovery:
 * kinds that are added later (custom resources) work here without a change.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { readJson } from '@dinghy/shared/http/client'

export interface DiscoveredResource extends Resource {
  singular: string
  shortNames: string[]
  categories: string[]
  verbs: string[]
}

interface DiscoveryDocument {
  items: {
    metadata: { name?: string }
    versions: {
      version: string
      resources?: {
        resource: string
        responseKind: { kind: string }
        scope: 'Namespaced' | 'Cluster'
        singularResource: string
        shortNames?: string[]
        categories?: string[]
        verbs: string[]
      }[]
    }[]
  }[]
}

const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

export async function discover(client: ApiClient): Promise<DiscoveredResource[]> {
  const documents = await Promise.all(
    ['/api', '/apis'].map(async (path) =>
      readJson<DiscoveryDocument>(await client.raw('GET', path, undefined, { Accept: accept })),
    ),
  )
  return documents.flatMap(({ items }) =>
    items.flatMap(({ metadata, versions }) =>
      versions.flatMap(({ version, resources }) =>
        (resources ?? []).map((found) => ({
          group: metadata.name ?? '',
          version,
          kind: found.responseKind.kind,
          plural: found.resource,
          namespaced: found.scope === 'Namespaced',
          singular: found.singularResource,
          shortNames: found.shortNames ?? [],
          categories: found.categories ?? [],
          verbs: found.verbs,
        })),
      ),
    ),
  )
}

export async function resolveResource(client: ApiClient, typed: string): Promise<DiscoveredResource> {
  const found = findResource(await discover(client), typed)
  if (!found) throw new Error(`the server doesn't have a resource type "${typed}"`)
  return found
}

/**
 * Pure: `deploy`, `Deployment`, `deployments`, `deployments.apps`, `deployments.v1.apps`; the first group wins, core
 * first.
 */
export function findResource(resources: DiscoveredResource[], typed: string): DiscoveredResource | undefined {
  const [name = '', ...rest] = typed.toLowerCase().split('.')
  return resources.find(({ plural, singular, kind, shortNames, group, version }) => {
    const named = [plural, singular, kind.toLowerCase(), ...shortNames].includes(name)
    const qualified = rest.length === 0 || group === rest.join('.') || `${version}.${group}` === rest.join('.')
    return named && qualified
  })
}
