/**
 * What every controller is given, and what it is: a class that is made from its deps and then run until the signal
 * aborts.
 *
 *     constructor(deps)          asks for informers and their indexes; they start only after every controller was made
 *     run(signal)                listens and works (runController); resolves when the signal has aborted
 *     reconcile(key, context)    one pass over one object: read from the listers, plan (pure), act, write the status
 *
 * A controller keeps no state that it could not rebuild from the informers, so it may be killed at any time.
 *
 * `client` has no actor of its own: a reconciler writes through its context's client, which carries the controller's
 * name, so that every revision in the store names the loop that made it. `informers` are shared: ten controllers that
 * look at Pods cost one watch. Never change an object that came from a lister; everybody else reads the same one.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Informers } from '@dinghy/shared/client/informer'
import type { KeyPair } from '@dinghy/shared/pki/authority'
import type { Logger } from '@dinghy/shared/process/logger'

export interface Controller {
  run(signal: AbortSignal): Promise<void>
}

export type ControllerClass = new (deps: ControllerDeps) => Controller

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
  /** How often each HorizontalPodAutoscaler is looked at. */
  autoscalerSyncPeriodMs: number
  /** For how long the highest proposal keeps an autoscaler from scaling down. */
  autoscalerDownscaleStabilizationMs: number
  autoscalerTuning: {
    /** How far from its target a metric may be without a change: 0.1 is ten percent. */
    tolerance: number
    /** How long the CPU that a pod uses to start says nothing of its load. */
    cpuInitializationPeriodMs: number
    /** How long after its start a pod that is not ready may be one that never was. */
    initialReadinessDelayMs: number
  }
  /** The PEM of the cluster's authority, for kube-root-ca.crt; without it there are no such ConfigMaps. */
  rootCa?: string | undefined
  /** Where the addresses of Services of type LoadBalancer come from; without it they stay pending. */
  loadBalancerPool?: { first: string; last: string } | undefined
  /** Below it stand the volumes of the provisioner dinghy.io/host-path; without it there is no such provisioner. */
  volumeRoot?: string | undefined
  /** Signs the certificates that were approved; without it none is signed. */
  signingAuthority?: KeyPair | undefined
  /** The longest that such a certificate is good for. */
  signingDurationSeconds?: number | undefined
}
