/** ReplicaSet: N pods like this template, whichever they are. The loop itself is pod-replicator.ts. */

import { ReplicaSets } from '@dinghy/shared/api/resources'
import { labelSelectorFrom } from '@dinghy/shared/api/selectors'
import type { ReplicaSet } from '@dinghy/shared/api/types'
import type { ControllerDeps } from '../deps.ts'
import { PodReplicator, type ReplicatedKind } from './pod-replicator.ts'

const kind: ReplicatedKind<ReplicaSet> = {
  controller: 'replicaset-controller',
  resource: ReplicaSets,
  selectorOf: ({ spec }) => labelSelectorFrom(spec.selector),
}

export class ReplicaSetController extends PodReplicator<ReplicaSet> {
  constructor(deps: ControllerDeps) {
    super(kind, deps)
  }
}
