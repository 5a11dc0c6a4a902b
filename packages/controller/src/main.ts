/**
 * The controller manager: one process, many small loops that don't know of one another.
 *
 * Each loop compares what objects ask for with what there is, and takes a step towards it. They meet only in the store:
 * the Deployment controller writes a ReplicaSet, which the ReplicaSet controller sees and writes Pods, which the
 * scheduler and the node agents see. That chain is why a cluster heals: no step depends on having heard of an event.
 *
 * The table below is the whole process; read it from top to bottom.
 */

import { setMaxListeners } from 'node:events'
import { resolve } from 'node:path'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informers } from '@dinghy/shared/client/informer'
import { runWithLease } from '@dinghy/shared/client/leader-election'
import { leaseFlags, leaseIdentity } from '@dinghy/shared/process/lease-flags'
import { runMain } from '@dinghy/shared/process/main'
import { startCronJobController } from './cron-job/cron-job-controller.ts'
import { startDaemonSetController } from './daemon-set/daemon-set-controller.ts'
import { startDeploymentController } from './deployment/deployment-controller.ts'
import type { ControllerDeps } from './deps.ts'
import { startDisruptionController } from './disruption/disruption-controller.ts'
import { startEndpointSliceController } from './endpoint-slice/endpoint-slice-controller.ts'
import { startEndpointSliceMirroringController } from './endpoint-slice/mirroring-controller.ts'
import { startEndpointsController } from './endpoints/endpoints-controller.ts'
import { startGarbageCollector } from './garbage-collector/garbage-collector.ts'
import { startJobController } from './job/job-controller.ts'
import { startTtlAfterFinishedController } from './job/ttl-after-finished.ts'
import { startNamespaceController } from './namespace/namespace-controller.ts'
import { startNodeLifecycleController } from './node-lifecycle/node-lifecycle-controller.ts'
import { startTaintEvictionController } from './node-lifecycle/taint-eviction-controller.ts'
import { startPodGcController } from './pod-gc.ts'
import { startReplicaSetController } from './replica-set/replica-set-controller.ts'
import { startReplicationControllerController } from './replication-controller/replication-controller.ts'
import { startResourceQuotaController } from './resource-quota/resource-quota-controller.ts'
import { startRootCaController } from './root-ca.ts'
import { startServiceAccountController } from './service-account.ts'
import { startStatefulSetController } from './stateful-set/stateful-set-controller.ts'
import { startPersistentVolumeBinder } from './volume/binder.ts'
import { startClaimProtectionController } from './volume/claim-protection.ts'
import { startDefaultStorageClass } from './volume/default-storage-class.ts'
import { startEphemeralVolumeController } from './volume/ephemeral-volumes.ts'
import { startHostPathProvisioner } from './volume/provisioner.ts'
import { startHostPathReclaimer } from './volume/reclaimer.ts'
import { startVolumePhaseController } from './volume/volume-phases.ts'
import { startVolumeProtectionController } from './volume/volume-protection.ts'

const controllers: ((deps: ControllerDeps, signal: AbortSignal) => Promise<void>)[] = [
  // Workloads that run for good: from "three of these" to pods, and from one version to the next.
  startReplicaSetController,
  startDeploymentController,
  startReplicationControllerController,
  startDaemonSetController,
  startStatefulSetController,
  // Workloads that come to an end.
  startJobController,
  startTtlAfterFinishedController,
  startCronJobController,
  // How Services find their pods.
  startEndpointSliceController,
  startEndpointsController,
  startEndpointSliceMirroringController,
  // How claims find their volumes.
  startPersistentVolumeBinder,
  startVolumePhaseController,
  startEphemeralVolumeController,
  startDefaultStorageClass,
  startHostPathProvisioner,
  startHostPathReclaimer,
  startClaimProtectionController,
  startVolumeProtectionController,
  // Nodes fail, and their pods move.
  startNodeLifecycleController,
  startTaintEvictionController,
  startDisruptionController,
  // What every namespace has, and how it goes.
  startServiceAccountController,
  startRootCaController,
  startResourceQuotaController,
  startNamespaceController,
  startPodGcController,
]

/**
 * Whatever nobody owns any more. It watches every resource there is, and nothing waits for it: in the first moments of a
 * cluster that would only be in the way of those who are waited for.
 */
async function collectGarbage(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  await deps.clock.sleep(1_000, signal)
  await startGarbageCollector(deps, signal)
}

runMain({
  name: 'controller',
  flags: {
    server: { type: 'string', default: 'http://127.0.0.1:6443', help: 'the address of the api-server' },
    ...leaseFlags,
    'node-monitor-period': { type: 'duration', default: '2s', help: 'how often every node is looked at' },
    'node-monitor-grace-period': { type: 'duration', default: '10s', help: 'silence after which a node is Unknown' },
    'terminated-pod-gc-threshold': {
      type: 'number',
      default: 12_500,
      help: 'how many finished pods may stay around; 0 means all',
    },
    'volume-root': {
      type: 'string',
      help: 'where dinghy.io/host-path makes its volumes; without it there is neither that provisioner nor its class',
    },
  },
  async run({ flags, log, clock, signal, health }) {
    const client = new ApiClient({ server: flags.server, userAgent: 'controller' })
    let isWorking = false
    // A candidate that waits for its turn is as ready as it can be.
    let isWaiting = false
    health.addCheck('caches', () => isWorking || isWaiting)

    async function work(signal: AbortSignal): Promise<void> {
      const informers = new Informers(client, { clock, log })
      const deps: ControllerDeps = {
        client,
        informers,
        clock,
        log,
        flags: {
          nodeMonitorPeriodMs: flags.nodeMonitorPeriod,
          nodeMonitorGracePeriodMs: flags.nodeMonitorGracePeriod,
          terminatedPodGcThreshold: flags.terminatedPodGcThreshold,
          volumeRoot: flags.volumeRoot ? resolve(flags.volumeRoot) : undefined,
        },
      }
      // One listener for each watch and each idle worker is no leak.
      setMaxListeners(0, signal)
      // Every controller asks for its informers and indexes before it first waits; only then do the informers start.
      const running = Promise.all(controllers.map((start) => start(deps, signal)))
      informers.start(signal)
      await Promise.race([informers.synced(), running])
      isWorking = true
      await Promise.all([running, collectGarbage(deps, signal)])
    }

    if (!flags.leaderElect) return await work(signal)
    const identity = leaseIdentity(flags.leaderElectIdentity)
    const onWaiting = () => (isWaiting = true)
    await runWithLease({ client, clock, name: 'kube-controller-manager', identity, log, onWaiting }, work, signal)
  },
})
