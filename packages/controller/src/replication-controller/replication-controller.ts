/**
 * ReplicationController: the ancestor of the ReplicaSet. The same loop; only its selector is a plain map of labels,
 * and the API server fills it in from the template when it is left out.
 */

import { ReplicationControllers } from '@dinghy/shared/api/resources'
import { labelSelectorFromMap, nothing } from '@dinghy/shared/api/selectors'
import type { ReplicationController } from '@dinghy/shared/api/types'
import type { ControllerDeps } from '../deps.ts'
import { PodReplicator, type ReplicatedKind } from '../replica-set/pod-replicator.ts'

const kind: ReplicatedKind<ReplicationController> = {
  controller: 'replication-controller',
  resource: ReplicationControllers,
  selectorOf: ({ spec }) => (spec.selector ? labelSelectorFromMap(spec.selector) : nothing),
}

/** The controller of the kind ReplicationController; upstream calls it the ReplicationManager. */
export class ReplicationManager extends PodReplicator<ReplicationController> {
  constructor(deps: ControllerDeps) {
    super(kind, deps)
  }
}
