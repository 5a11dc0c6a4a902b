/**
 * The ClusterRole aggregation controller: a role with an aggregationRule has the rules of all roles that its selectors
 * choose. That is how a custom resource's author adds to admin, edit and view: by a role with the right label.
 *
 * What somebody writes into the rules of such a role is overwritten. Follows clusterroleaggregation_controller.go.
 */

import { aggregatedRules } from '@dinghy/shared/api/cluster-role-aggregation'
import { ClusterRoles } from '@dinghy/shared/api/resources'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { ClusterRole } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import type { Controller, ControllerDeps } from '../deps.ts'

export class ClusterRoleAggregationController implements Controller {
  readonly #deps: ControllerDeps
  readonly #roles: Informer<ClusterRole>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#roles = deps.informers.for(ClusterRoles)
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name: 'clusterrole-aggregation-controller',
        reconciles: this.#roles,
        // A role may have been part of another one until now, and its labels no longer say so: look at all of them.
        watches: [[this.#roles, () => this.#aggregated()]],
        reconcile: (name, context) => this.reconcile(name, context),
      },
      signal,
    )
  }

  async reconcile(name: string, { client, signal }: ReconcileContext): Promise<void> {
    const role = this.#roles.lister.get(name)
    const rules = role && aggregatedRules(role, this.#roles.lister.list())
    if (!rules || sameJson(rules, role.rules ?? [])) return
    await ifPresent(client.patch(ClusterRoles, { name }, { type: 'merge', body: { rules } }, {}, signal))
  }

  #aggregated(): string[] {
    const roles = this.#roles.lister.list()
    return roles.filter(({ aggregationRule }) => aggregationRule).map(({ metadata }) => metadata.name)
  }
}
