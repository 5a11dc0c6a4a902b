/**
 * Impersonation: a user who may "impersonate" another, each of the groups, the uid and every extra value that the
 * headers name, goes on as that one (kubectl --as, --as-group, --as-uid). Follows upstream's WithImpersonation.
 *
 * Where it differs: groups, uid or extras without a user are a bad request here, an internal error upstream.
 */

import { badRequest } from '@dinghy/shared/api/errors'
import type { AccessAttributes, Authorizer } from './authorize.ts'
import { notAuthorized } from './forbidden.ts'
import { serviceAccountOf, serviceAccountUser, type UserInfo } from './user.ts'

/** What the headers ask for. */
interface Wanted {
  user: string
  uid: string
  groups: string[]
  extra: Record<string, string[]>
}

const extraPrefix = 'impersonate-extra-'

/** Names and values in turn, as Node has them: only these keep repeated headers apart. */
export type RawHeaders = readonly string[]

/** The user to go on as; throws Forbidden if that may not be. */
export function impersonate(user: UserInfo, headers: RawHeaders, authorizer: Authorizer): UserInfo {
  const wanted = read(headers)
  if (!wanted) return user
  for (const attributes of asked(user, wanted)) {
    const decision = authorizer(attributes)
    if (!decision.allowed) throw notAuthorized(attributes, decision.reason)
  }
  const { uid, extra } = wanted
  return {
    username: wanted.user,
    ...(uid ? { uid } : {}),
    groups: groupsOf(wanted),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  }
}

function read(headers: RawHeaders): Wanted | undefined {
  // Nearly every request ends here. What a header holds may begin so, too; then the loop finds nothing.
  if (!headers.some((text) => /^impersonate-/i.test(text))) return undefined
  const wanted: Wanted = { user: '', uid: '', groups: [], extra: {} }
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i]?.toLowerCase(), headers[i + 1]]
    if (name === 'impersonate-user') wanted.user = value
    else if (name === 'impersonate-uid') wanted.uid = value
    else if (name === 'impersonate-group') wanted.groups.push(value)
    else if (name.startsWith(extraPrefix)) (wanted.extra[extraKey(name)] ??= []).push(value)
  }
  if (wanted.user) return wanted
  const { groups, uid, extra } = wanted
  const others = [...groups, ...(uid ? [uid] : []), ...Object.keys(extra)]
  if (others.length === 0) return undefined
  throw badRequest(`requested [${others.join(' ')}] without impersonating a user`)
}

function extraKey(header: string): string {
  const key = header.slice(extraPrefix.length)
  try {
    return decodeURIComponent(key)
  } catch (error) {
    if (error instanceof URIError) return key // upstream takes a key that is not escaped as it is
    throw error
  }
}

function* asked(user: UserInfo, { user: name, uid, groups, extra }: Wanted): Generator<AccessAttributes> {
  const base = { user, verb: 'impersonate', group: '', version: 'v1', subresource: undefined, path: undefined }
  const authentication = { ...base, group: 'authentication.k8s.io', namespace: undefined }
  const account = serviceAccountOf(name)
  if (account) yield { ...base, resource: 'serviceaccounts', ...account }
  else yield { ...base, resource: 'users', namespace: undefined, name }
  for (const group of groups) yield { ...base, resource: 'groups', namespace: undefined, name: group }
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) yield { ...authentication, resource: 'userextras', subresource: key, name: value }
  }
  if (uid) yield { ...authentication, resource: 'uids', name: uid }
}

/** A service account has its groups by nature; everybody is authenticated, or not, unless it was said. */
function groupsOf({ user, groups }: Wanted): string[] {
  const account = serviceAccountOf(user)
  if (account && groups.length === 0) return serviceAccountUser(account.namespace, account.name).groups
  const [authenticated, unauthenticated] = ['system:authenticated', 'system:unauthenticated']
  if (user === 'system:anonymous') return groups.includes(unauthenticated) ? groups : [...groups, unauthenticated]
  return groups.includes(authenticated) || groups.includes(unauthenticated) ? groups : [...groups, authenticated]
}
