/**
 * Authorization put together: the authorizers that --authorization-mode names, in its order, behind the one that lets
 * superusers pass; and the rules of a user, which not every authorizer can tell.
 */

import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import type { Storage } from '../storage/storage.ts'
import { allowSuperusers, alwaysAllow, alwaysDeny, type Authorizer, union } from './authorize.ts'
import { nodeAuthorizer, nodeOf } from './node/node-authorizer.ts'
import type { ObjectReader } from './object-reader.ts'
import { PodsByNode } from './node/pods-by-node.ts'
import { nodeRules } from './rbac/bootstrap-policy.ts'
import { aggregated, rbacAuthorizer, rulesFor } from './rbac/rbac-authorizer.ts'
import { RbacIndex, type RoleReference } from './rbac/rbac-index.ts'
import type { UserInfo } from './user.ts'

export const authorizationModes = ['AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC'] as const
export type AuthorizationMode = (typeof authorizationModes)[number]

export interface UserRules {
  rules: PolicyRule[]
  /** What could not be found out; '' if there was nothing. */
  problem: string
  /** The user may do more than these rules say. */
  isIncomplete: boolean
}

export class Authorization {
  readonly authorize: Authorizer
  readonly #modes: readonly AuthorizationMode[]
  readonly #index: RbacIndex
  readonly #pods: PodsByNode | undefined

  constructor(modes: readonly AuthorizationMode[], storage: Storage, reader: ObjectReader) {
    this.#modes = modes
    const index = (this.#index = new RbacIndex(storage))
    const pods = (this.#pods = modes.includes('Node') ? new PodsByNode(storage) : undefined)
    const authorizers: Record<AuthorizationMode, Authorizer> = {
      AlwaysAllow: alwaysAllow,
      AlwaysDeny: alwaysDeny,
      Node: pods ? nodeAuthorizer({ pods, reader, rules: nodeRules() }) : alwaysDeny,
      RBAC: rbacAuthorizer(index),
    }
    this.authorize = union([allowSuperusers, ...modes.map((mode) => authorizers[mode])])
  }

  /** Keeps up with the roles and pods in storage until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#index.follow(signal), this.#pods?.follow(signal)])
  }

  /** What a user may do by rules: everywhere, and in the namespace if one is given. */
  rulesFor(user: UserInfo, namespace: string | undefined): UserRules {
    if (this.#modes.includes('AlwaysAllow')) {
      const everything = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }
      return { rules: [everything, { verbs: ['*'], nonResourceURLs: ['*'] }], problem: '', isIncomplete: false }
    }
    const known = rulesFor(this.#index, user, namespace)
    if (!this.#pods || nodeOf(user) === undefined) return { ...known, isIncomplete: false }
    const problem = 'node authorizer does not support user rule resolution'
    return { rules: known.rules, problem: aggregated([problem, known.problem].filter(Boolean)), isIncomplete: true }
  }

  /** The rules of the role that a binding in this namespace refers to; undefined if there is no such role. */
  rulesOf(role: RoleReference, namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#index.rulesOf(role, namespace)
  }
}
