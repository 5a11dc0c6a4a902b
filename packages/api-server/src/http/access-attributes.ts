/**
 * What authorization is asked about a request, read off its request info and its selectors.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { type FieldRequirement, parseFieldSelector, parseLabelSelector } from '@dinghy/shared/api/selectors'
import type { AccessAttributes } from '../auth/authorize.ts'
import type { UserInfo } from '../auth/user.ts'
import type { RequestInfo } from './request-info.ts'

const selecting = new Set(['list', 'watch', 'deletecollection'])

export function attributesOf(user: UserInfo, info: RequestInfo, query: URLSearchParams): AccessAttributes {
  const { verb, group, version, resource, subresource, namespace, name } = info
  const path = info.isResource ? undefined : info.path
  const attributes = { user, verb, group, version, resource, subresource, namespace, name, path }
  if (path !== undefined || !selecting.has(verb)) return attributes
  const fieldSelector = requirementsOf(query.get('fieldSelector'), parseFieldSelector)
  const labelSelector = requirementsOf(query.get('labelSelector'), (text) => parseLabelSelector(text).requirements)
  return {
    ...attributes,
    // A list of one object by its name is allowed to whoever may see that object.
    name: name ?? exactName(fieldSelector),
    ...(fieldSelector ? { fieldSelector } : {}),
    ...(labelSelector ? { labelSelector } : {}),
  }
}

function exactName(fieldSelector: readonly FieldRequirement[] = []): string | undefined {
  return fieldSelector.find(({ field, operator }) => field === 'metadata.name' && operator === '=')?.value
}

/** A selector that cannot be parsed restricts nothing; whoever selects by it will be told so. */
export function requirementsOf<T>(
  text: string | null | undefined,
  parse: (text: string) => readonly T[],
): readonly T[] | undefined {
  if (!text) return undefined
  try {
    return parse(text)
  } catch (error) {
    if (hasReason(error, 'BadRequest')) return undefined
    throw error
  }
}
