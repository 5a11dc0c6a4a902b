/**
 * What every controller is given. A controller is a function `start<Name>Controller(deps, signal)` that resolves when
 * the signal aborts; it keeps no state that it could not rebuild from the informers, so it may be killed at any time.
 *
 * `client` has no actor of its own: each controller writes as itself, `deps.client.as('deployment-controller')`,
 * so that every revision in the store names the loop that made it. `informers` are shared: ten controllers that look
 * at Pods cost one watch. Never change an object that came from a lister; everybody else reads the same one.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Informers } from '@dinghy/shared/client/informer'
import type { Logger } from '@dinghy/shared/process/logger'

export interface ControllerDeps {
  client: ApiClient
  informers: Informers
  clock: Clock
  log: Logger
  flags: ControllerFlags
}

/** The settings of single controllers; the names follow kube-controller-manager's flags. */
export interface ControllerFlags {
  /** How often the node-lifecycle controller looks at every node. */
  nodeMonitorPeriodMs: number
  /** A node whose heartbeat is older than this becomes Unknown. */
  nodeMonitorGracePeriodMs: number
  /** Finished pods beyond this number are deleted, oldest first; 0 never deletes. */
  terminatedPodGcThreshold: number
  /** Below it stand the volumes of the provisioner dinghy.io/host-path; without it there is no such provisioner. */
  volumeRoot?: string | undefined
}
