/**
 * What the words after a verb mean: `pods`, `pod web`, `pod/web deploy/api`, `po,svc`, `all`.
 */

import type { ApiClient } from '@dinghy/shared/client/api-client'
import { UsageError } from '../command-line/command.ts'
import { discover, type DiscoveredResource, findResource } from './resources.ts'

export interface Target {
  resource: DiscoveredResource
  /** undefined: all of them. */
  name: string | undefined
}

export async function targetsOf(client: ApiClient, words: string[]): Promise<Target[]> {
  return parseTargets(await discover(client), words)
}

/** Exactly one named object, as exec, scale and rollout want it; `web` alone is of `defaultKind` where there is one. */
export async function oneTarget(
  client: ApiClient,
  words: string[],
  defaultKind?: string,
): Promise<Target & { name: string }> {
  const known = await discover(client)
  const [first = ''] = words
  const bare = words.length === 1 && !first.includes('/') && defaultKind !== undefined
  const targets = parseTargets(known, bare ? [defaultKind, first] : words)
  const [target] = targets
  if (targets.length !== 1 || !target?.name) throw new UsageError('name one object, as KIND/NAME')
  return { resource: target.resource, name: target.name }
}

/** Pure. Throws for a kind the server does not have, in kubectl's words. */
export function parseTargets(known: DiscoveredResource[], words: string[]): Target[] {
  const [first, ...names] = words
  if (!first) throw new UsageError('say which kind, for instance pods')
  if (words.some((word) => word.includes('/'))) {
    return words.map((word) => {
      const [kind, name, ...more] = word.split('/')
      if (!kind || !name || more.length > 0) throw new UsageError('either KIND NAME… or KIND/NAME…, not both')
      return { resource: named(known, kind), name }
    })
  }
  const resources = first.split(',').flatMap((kind) => {
    const category = known.filter(({ categories }) => categories.includes(kind))
    return category.length > 0 ? category : [named(known, kind)]
  })
  if (names.length === 0) return resources.map((resource) => ({ resource, name: undefined }))
  return resources.flatMap((resource) => names.map((name) => ({ resource, name })))
}

function named(known: DiscoveredResource[], kind: string): DiscoveredResource {
  const found = findResource(known, kind)
  if (!found) throw new Error(`the server doesn't have a resource type "${kind}"`)
  return found
}

/** "deployment.apps/web": how kubectl names an object that it has just changed. */
export function label({ resource, name }: { resource: DiscoveredResource; name: string }): string {
  return `${resource.singular}${resource.group ? `.${resource.group}` : ''}/${name}`
}
