/**
 * ReplicationController: the ancestor of the ReplicaSet. The same loop; only its selector is a plain map of labels,
 * and the API server fills it in from the template when it is left out.
 */

import { ReplicationControllers } from '@dinghy/shared/api/resources'
import { labelSelectorFromMap, nothing } from '@dinghy/shared/api/selectors'
import type { ReplicationController } from '@dinghy/shared/api/types'
import type { ControllerDeps } from '../deps.ts'
import { startReplicasController, type ReplicatedKind } from '../replica-set/replicas-controller.ts'

const kind: ReplicatedKind<ReplicationController> = {
  controller: 'replication-controller',
  resource: ReplicationControllers,
  selectorOf: ({ spec }) => (spec.selector ? labelSelectorFromMap(spec.selector) : nothing),
}

export async function startReplicationControllerController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  await startReplicasController(kind, deps, signal)
}
