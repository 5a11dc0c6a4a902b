/**
 * The roles and bindings of the cluster, by what a decision asks for: the bindings of a subject, and the rules of the
 * role that a binding names. It is a cache of storage: `load` reads everything once, `follow` keeps it up to date with
 * a watch, so that no request reads roles from storage (upstream's authorizer asks informers in the same way, which
 * may be a moment late, too).
 *
 * What a user may do is put together when the user first asks and kept until some role or binding changes.
 */

import type { ClusterRole, ClusterRoleBinding, KubernetesObject, Role, RoleBinding } from '@dinghy/shared/api/types'
import type { PolicyRule, Subject } from 'kubernetes-types/rbac/v1.js'
import { follow } from '../../storage/follow.ts'
import type { ChangeEvent } from '../../storage/recent-events.ts'
import type { Storage } from '../../storage/storage.ts'
import type { UserInfo } from '../user.ts'

/** One way in which a user comes to rules. */
export interface Grant {
  rules: readonly PolicyRule[]
  /** As upstream describes it: `ClusterRoleBinding "x" of ClusterRole "y" to User "z"`. */
  source: string
}

export interface Grants {
  grants: readonly Grant[]
  /** What is wrong with the user's bindings: roles that do not exist. */
  problems: readonly string[]
}

type Binding = RoleBinding | ClusterRoleBinding
export type RoleReference = Binding['roleRef']

const prefix = '/rbac.authorization.k8s.io/'
export class RbacIndex {
  readonly #storage: Storage
  /** What the first load has shown. */
  readonly #revision: number
  #roles = new Map<string, readonly PolicyRule[]>()
  /** Cluster-wide bindings, and those of each namespace, by subject. */
  #bindings = new Map<string, Map<string, Map<string, Binding>>>()
  /** By user, who is the same object for all requests of a connection, then by namespace ("" for everywhere). */
  #remembered = new WeakMap<UserInfo, Map<string, Grants>>()

  constructor(storage: Storage) {
    this.#storage = storage
    this.#revision = this.#load()
  }

  /** Keeps up with storage until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const picture = {
      prefix,
      from: this.#revision,
      reload: () => this.#load(),
      apply: ({ type, entry: { key, object }, previous }: ChangeEvent) => {
        this.#remembered = new WeakMap()
        if (previous) this.#remove(key, previous.object)
        if (type !== 'DELETED') this.#add(key, object)
      },
    }
    await follow(this.#storage, picture, signal)
  }

  /** What holds for this user everywhere and, if a namespace is given, in it. In the order in which it is tried. */
  grantsOf(user: UserInfo, namespace: string | undefined): Grants[] {
    const remembered = this.#remembered.get(user) ?? new Map<string, Grants>()
    this.#remembered.set(user, remembered)
    const everywhere = this.#grantsIn('', user, remembered)
    return namespace ? [everywhere, this.#grantsIn(namespace, user, remembered)] : [everywhere]
  }

  /** The rules of the role that a binding in this namespace refers to; undefined if there is no such role. */
  rulesOf({ kind, name }: RoleReference, namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#roles.get(kind === 'ClusterRole' ? name : `${namespace}/${name}`)
  }

  #load(): number {
    const { revision, entries } = this.#storage.list(prefix)
    this.#roles.clear()
    this.#bindings.clear()
    this.#remembered = new WeakMap()
    for (const { key, object } of entries) this.#add(key, object)
    return revision
  }

  #add(key: string, object: KubernetesObject): void {
    switch (kindOf(key)) {
      case 'roles':
      case 'clusterroles':
        this.#roles.set(placeOf(object), (object as Role | ClusterRole).rules ?? [])
        break
      case 'rolebindings':
      case 'clusterrolebindings':
        for (const [of, binding] of this.#bindingsOf(object as Binding)) of.set(object.metadata.name, binding)
    }
  }

  #remove(key: string, object: KubernetesObject): void {
    switch (kindOf(key)) {
      case 'roles':
      case 'clusterroles':
        this.#roles.delete(placeOf(object))
        break
      case 'rolebindings':
      case 'clusterrolebindings':
        for (const [of] of this.#bindingsOf(object as Binding)) of.delete(object.metadata.name)
    }
  }

  /** The maps that a binding belongs into, one for each subject. */
  #bindingsOf(binding: Binding): [of: Map<string, Binding>, binding: Binding][] {
    const { namespace = '' } = binding.metadata
    const bySubject = this.#bindings.get(namespace) ?? new Map<string, Map<string, Binding>>()
    this.#bindings.set(namespace, bySubject)
    return (binding.subjects ?? []).map((subject) => {
      const id = subjectId(subject, namespace)
      const of = bySubject.get(id) ?? new Map<string, Binding>()
      bySubject.set(id, of)
      return [of, binding]
    })
  }

  #grantsIn(namespace: string, user: UserInfo, remembered: Map<string, Grants>): Grants {
    const known = remembered.get(namespace)
    if (known) return known
    const found = this.#find(namespace, user)
    remembered.set(namespace, found)
    return found
  }

  #find(namespace: string, { username, groups }: UserInfo): Grants {
    const bySubject = this.#bindings.get(namespace)
    const grants: Grant[] = []
    const problems = new Set<string>()
    if (!bySubject) return { grants, problems: [] }
    for (const id of [`user ${username}`, ...groups.map((group) => `group ${group}`)]) {
      for (const binding of bySubject.get(id)?.values() ?? []) {
        const { roleRef, subjects = [] } = binding
        const rules = this.rulesOf(roleRef, namespace)
        if (!rules) {
          problems.add(roleNotFound(roleRef))
          continue
        }
        const subject = subjects.find((each) => subjectId(each, namespace) === id)
        grants.push({ rules, source: `${describeBinding(binding)} to ${describeSubject(subject, namespace)}` })
      }
    }
    return { grants, problems: [...problems] }
  }
}

function roleNotFound({ kind, name }: RoleReference): string {
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`
}

function kindOf(key: string): string {
  return key.slice(prefix.length, key.indexOf('/', prefix.length))
}

function placeOf({ metadata: { namespace, name } }: KubernetesObject): string {
  return namespace ? `${namespace}/${name}` : name
}

/** A service account is a user by another name. */
function subjectId({ kind, name, namespace }: Subject, bindingNamespace: string): string {
  if (kind === 'ServiceAccount') return `user system:serviceaccount:${namespace || bindingNamespace}:${name}`
  return `${kind.toLowerCase()} ${name}`
}

function describeBinding({ metadata: { name, namespace }, roleRef }: Binding): string {
  const kind = namespace ? 'RoleBinding' : 'ClusterRoleBinding'
  const place = namespace ? `${name}/${namespace}` : name
  return `${kind} ${JSON.stringify(place)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)}`
}

function describeSubject(subject: Subject | undefined, bindingNamespace: string): string {
  const { kind = '', name = '', namespace } = subject ?? {}
  return `${kind} ${JSON.stringify(kind === 'ServiceAccount' ? `${name}/${namespace || bindingNamespace}` : name)}`
}
