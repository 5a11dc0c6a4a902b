/** ReplicaSet: N pods like this template, whichever they are. */

import { ReplicaSets } from '@dinghy/shared/api/resources'
import { labelSelectorFrom } from '@dinghy/shared/api/selectors'
import type { ReplicaSet } from '@dinghy/shared/api/types'
import type { ControllerDeps } from '../deps.ts'
import { startReplicasController, type ReplicatedKind } from './replicas-controller.ts'

const kind: ReplicatedKind<ReplicaSet> = {
  controller: 'replicaset-controller',
  resource: ReplicaSets,
  selectorOf: (replicaSet) => labelSelectorFrom(replicaSet.spec.selector),
}

export async function startReplicaSetController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  await startReplicasController(kind, deps, signal)
}
