/**
 * Who makes a request: the result of authentication, the subject of authorization (upstream's user.Info).
 */

export interface UserInfo {
  username: string
  uid?: string
  groups: string[]
  extra?: Record<string, string[]>
}

/** The one who may do everything, whatever roles say: who comes by the admin socket. */
export const admin: UserInfo = {
  username: 'kubernetes-admin',
  groups: ['system:masters', 'system:authenticated'],
}

/** The API server itself, when it writes what it needs at start. */
export const apiServerUser: UserInfo = { username: 'system:apiserver', groups: ['system:masters'] }

const serviceAccountPrefix = 'system:serviceaccount:'

export function serviceAccountUser(namespace: string, name: string, uid?: string): UserInfo {
  return {
    username: `${serviceAccountPrefix}${namespace}:${name}`,
    ...(uid ? { uid } : {}),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  }
}

/** The service account that a user name stands for; undefined for all others. */
export function serviceAccountOf(username: string): { namespace: string; name: string } | undefined {
  if (!username.startsWith(serviceAccountPrefix)) return undefined
  const [namespace, name, ...more] = username.slice(serviceAccountPrefix.length).split(':')
  return namespace && name && more.length === 0 ? { namespace, name } : undefined
}
