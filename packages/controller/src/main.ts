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
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informers } from '@dinghy/shared/client/informer'
import { runWithLease } from '@dinghy/shared/client/leader-election'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { leaseFlags, leaseIdentity } from '@dinghy/shared/process/lease-flags'
import { FlagError } from '@dinghy/shared/process/flags'
import { runMain } from '@dinghy/shared/process/main'
import { CertificateApprovingController } from './certificates/approving-controller.ts'
import { CertificateCleaningController } from './certificates/cleaning-controller.ts'
import { CertificateSigningController } from './certificates/signing-controller.ts'
import { ClusterRoleAggregationController } from './cluster-role-aggregation/cluster-role-aggregation-controller.ts'
import { CronJobController } from './cron-job/cron-job-controller.ts'
import { DaemonSetController } from './daemon-set/daemon-set-controller.ts'
import { DeploymentController } from './deployment/deployment-controller.ts'
import type { ControllerClass, ControllerDeps } from './deps.ts'
import { DisruptionController } from './disruption/disruption-controller.ts'
import { EndpointSliceController } from './endpoint-slice/endpoint-slice-controller.ts'
import { EndpointSliceMirroringController } from './endpoint-slice/mirroring-controller.ts'
import { EndpointsController } from './endpoints/endpoints-controller.ts'
import { GarbageCollector } from './garbage-collector/garbage-collector.ts'
import { HorizontalPodAutoscalerController } from './horizontal-pod-autoscaler/horizontal-pod-autoscaler-controller.ts'
import { JobController } from './job/job-controller.ts'
import { TtlAfterFinishedController } from './job/ttl-after-finished.ts'
import { NamespaceController } from './namespace/namespace-controller.ts'
import { NodeLifecycleController } from './node-lifecycle/node-lifecycle-controller.ts'
import { TaintEvictionController } from './node-lifecycle/taint-eviction-controller.ts'
import { PodGcController } from './pod-gc/pod-gc-controller.ts'
import { ReplicaSetController } from './replica-set/replica-set-controller.ts'
import { ReplicationManager } from './replication-controller/replication-controller.ts'
import { ResourceQuotaController } from './resource-quota/resource-quota-controller.ts'
import { RootCaController } from './root-ca/root-ca-controller.ts'
import { ServiceAccountController } from './service-account/service-account-controller.ts'
import { parsePool, type AddressPool } from './service-load-balancer/address-pool.ts'
import { ServiceLoadBalancerController } from './service-load-balancer/service-load-balancer-controller.ts'
import { StatefulSetController } from './stateful-set/stateful-set-controller.ts'
import { PersistentVolumeBinder } from './volume/binder.ts'
import { ClaimProtectionController } from './volume/claim-protection.ts'
import { DefaultStorageClassController } from './volume/default-storage-class.ts'
import { EphemeralVolumeController } from './volume/ephemeral-volumes.ts'
import { HostPathProvisioner } from './volume/provisioner.ts'
import { HostPathReclaimer } from './volume/reclaimer.ts'
import { VolumePhaseController } from './volume/volume-phases.ts'
import { VolumeProtectionController } from './volume/volume-protection.ts'

const controllers: ControllerClass[] = [
  // Workloads that run for good: from "three of these" to pods, and from one version to the next.
  ReplicaSetController,
  DeploymentController,
  ReplicationManager,
  DaemonSetController,
  StatefulSetController,
  // Workloads that come to an end.
  JobController,
  TtlAfterFinishedController,
  CronJobController,
  // How many replicas the load asks for.
  HorizontalPodAutoscalerController,
  // How Services find their pods.
  EndpointSliceController,
  EndpointsController,
  EndpointSliceMirroringController,
  // How they are reached from outside.
  ServiceLoadBalancerController,
  // How claims find their volumes.
  PersistentVolumeBinder,
  VolumePhaseController,
  EphemeralVolumeController,
  DefaultStorageClassController,
  HostPathProvisioner,
  HostPathReclaimer,
  ClaimProtectionController,
  VolumeProtectionController,
  // Nodes fail, and their pods move.
  NodeLifecycleController,
  TaintEvictionController,
  DisruptionController,
  // What every namespace has, and how it goes.
  ServiceAccountController,
  RootCaController,
  ResourceQuotaController,
  NamespaceController,
  PodGcController,
  // Who may do what, and how they prove who they are.
  ClusterRoleAggregationController,
  CertificateApprovingController,
  CertificateSigningController,
  CertificateCleaningController,
]

/**
 * Whatever nobody owns any more. It watches every resource there is, and nothing waits for it: in the first moments of
 * a cluster that would only be in the way of those who are waited for.
 */
async function collectGarbage(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  await deps.clock.sleep(1_000, signal)
  await new GarbageCollector(deps).run(signal)
}

runMain({
  name: 'controller',
  flags: {
    ...kubeconfigFlag,
    ...leaseFlags,
    'node-monitor-period': { type: 'duration', default: '2s', help: 'how often every node is looked at' },
    'node-monitor-grace-period': { type: 'duration', default: '10s', help: 'silence after which a node is Unknown' },
    'terminated-pod-gc-threshold': {
      type: 'number',
      default: 12_500,
      help: 'how many finished pods may stay around; 0 means all',
    },
    'horizontal-pod-autoscaler-sync-period': {
      type: 'duration',
      default: '15s',
      help: 'how often each autoscaler looks at its metrics',
    },
    'horizontal-pod-autoscaler-downscale-stabilization': {
      type: 'duration',
      default: '5m',
      help: 'how long the highest number of replicas that was proposed keeps one from scaling down',
    },
    'horizontal-pod-autoscaler-tolerance': {
      type: 'number',
      default: 0.1,
      help: 'how far from its target a metric may be without a change',
    },
    'horizontal-pod-autoscaler-cpu-initialization-period': {
      type: 'duration',
      default: '5m',
      help: 'how long the CPU that a pod uses to start says nothing of its load',
    },
    'horizontal-pod-autoscaler-initial-readiness-delay': {
      type: 'duration',
      default: '30s',
      help: 'how long after its start a pod that is not ready may be one that never was',
    },
    'root-ca-file': { type: 'string', help: 'the authority of the cluster, which every pod is given to trust' },
    'cluster-signing-cert-file': {
      type: 'string',
      help: 'the authority that signs approved CertificateSigningRequests; without it none is signed',
    },
    'cluster-signing-key-file': { type: 'string', help: 'the key of that authority' },
    'cluster-signing-duration': {
      type: 'duration',
      default: '8760h',
      help: 'the longest that such a certificate is good for',
    },
    'load-balancer-pool': {
      type: 'string',
      help: 'addresses for Services of type LoadBalancer, as in 172.30.0.201-172.30.0.250; without it they stay pending',
    },
    'volume-root': {
      type: 'string',
      help: 'where dinghy.io/host-path makes its volumes; without it there is neither that provisioner nor its class',
    },
  },
  async run({ flags, log, clock, signal, health }) {
    let isWorking = false
    // A candidate that waits for its turn is as ready as it can be.
    let isWaiting = false
    health.addCheck('caches', () => isWorking || isWaiting)
    const client = new ApiClient({ ...(await readKubeconfig(flags.kubeconfig)), userAgent: 'controller' })

    const loadBalancerPool = poolOf(flags.loadBalancerPool)
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
          autoscalerSyncPeriodMs: flags.horizontalPodAutoscalerSyncPeriod,
          autoscalerDownscaleStabilizationMs: flags.horizontalPodAutoscalerDownscaleStabilization,
          autoscalerTuning: {
            tolerance: flags.horizontalPodAutoscalerTolerance,
            cpuInitializationPeriodMs: flags.horizontalPodAutoscalerCpuInitializationPeriod,
            initialReadinessDelayMs: flags.horizontalPodAutoscalerInitialReadinessDelay,
          },
          rootCa: flags.rootCaFile === undefined ? undefined : readFileSync(flags.rootCaFile, 'utf8'),
          signingAuthority: signingAuthority(flags),
          signingDurationSeconds: flags.clusterSigningDuration / 1000,
          loadBalancerPool,
          volumeRoot: flags.volumeRoot ? resolve(flags.volumeRoot) : undefined,
        },
      }
      // One listener for each watch and each idle worker is no leak.
      setMaxListeners(0, signal)
      // Every controller asks for its informers and indexes when it is made; only then do the informers start.
      const running = Promise.all(controllers.map((Controller) => new Controller(deps).run(signal)))
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

function poolOf(text: string | undefined): AddressPool | undefined {
  const pool = text === undefined ? undefined : parsePool(text)
  if (text !== undefined && !pool) throw new FlagError(`--load-balancer-pool: "${text}" is no range of addresses`)
  return pool
}

interface SigningFlags {
  clusterSigningCertFile?: string | undefined
  clusterSigningKeyFile?: string | undefined
}

function signingAuthority({ clusterSigningCertFile: cert, clusterSigningKeyFile: key }: SigningFlags) {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) {
    throw new FlagError('--cluster-signing-cert-file and --cluster-signing-key-file need each other')
  }
  return { certificate: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}
