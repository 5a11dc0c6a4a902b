/**
 * The node agent put together: which part is given which. Read it as the map of this package.
 *
 *   api-server ──watch──► SyncLoop ──► PodSync ──┬──► PodStarting ──┐
 *       ▲  ▲                 ▲           │       ├──► PodEnding ────┴─► PodRuntime ──► DockerClient ──► engine
 *       │  └── StatusWriter ◄┼─ PodReport┘       └──► Probes, PodVolumes                                │
 *       └── NodeRegistration └───────────────────────── LifecycleEvents ◄────────────────────────────────┘
 *           NodeLease
 *
 * It keeps no state of its own that matters: killed and started again it finds everything in the API and in the labels
 * of the containers, and goes on where it was. Containers run on without it.
 */

import { mkdir } from 'node:fs/promises'
import { aborted } from '@dinghy/shared/api/aborted'
import type { Clock } from '@dinghy/shared/api/clock'
import { Nodes, Pods, Services } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import type { Credentials } from '@dinghy/shared/client/kubeconfig'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import type { Pod } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { ServerTls } from '@dinghy/shared/http/listen-address'
import { ImagePuller } from './containers/image-puller.ts'
import type { DnsSettings } from './containers/pod-dns.ts'
import { DockerClient } from './docker/docker-client.ts'
import { CniNetwork } from './network/cni-network.ts'
import { EngineNetwork } from './network/engine-network.ts'
import { readMachine } from './node/machine.ts'
import { LiveNode } from './node/live-node.ts'
import { NodeLease } from './node/node-lease.ts'
import { NodeRegistration } from './node/node-registration.ts'
import { prepareRuntime, RuntimeHealth } from './node/runtime-health.ts'
import { admission } from './pods/admission.ts'
import { ContainerDefinitions } from './pods/container-definition.ts'
import type { CrashLoopLimits } from './containers/crash-loop.ts'
import { GracefulStops } from './pods/graceful-stops.ts'
import { LifecycleEvents } from './pods/lifecycle-events.ts'
import { PodEnding } from './pods/pod-ending.ts'
import { PodObserver } from './pods/pod-observer.ts'
import { PodReport } from './pods/pod-report.ts'
import { PodRuntime } from './pods/pod-runtime.ts'
import { PodStarting } from './pods/pod-starting.ts'
import { PodSync } from './pods/pod-sync.ts'
import { StatusWriter } from './pods/status-writer.ts'
import { SyncLoop } from './pods/sync-loop.ts'
import { Probes } from './probes/probes.ts'
import { ContainerLookup } from './server/container-lookup.ts'
import { KubeletAccess } from './server/kubelet-access.ts'
import { KubeletServer } from './server/kubelet-server.ts'
import { StatsSummary } from './server/stats-summary.ts'
import { PodVolumes } from './volumes/pod-volumes.ts'
import { ReferencedObjects } from './volumes/referenced-objects.ts'
import { ServiceAccountTokens } from './volumes/service-account-tokens.ts'

export interface NodeAgentOptions {
  /** Where the API server is, and who this agent is there. */
  credentials: Credentials
  /** How the kubelet server shows itself, and whose clients it knows. Without it: plain HTTP, for everybody. */
  tls: ServerTls | undefined
  node: string
  address: string
  podCidr: string
  /** The network namespace in which this agent lives, and into which it plugs pods; else pods are on the engine's. */
  namespaceFile: string | undefined
  kubeletPort: number
  dockerSocket: string
  root: string
  /** Where the cluster's components log, for `/logs/`. */
  logDirectory: string | undefined
  sandboxImage: string
  dns: DnsSettings
  crashLoop: CrashLoopLimits
  leasePeriodMs: number
  statusPeriodMs: number
  relistMs: number
  /** How long the runtime may be silent before the node is not Ready. */
  runtimeGraceMs: number
  /** How long a single call of the runtime may take. */
  runtimeTimeoutMs: number
  clock: Clock
  log: Logger
  /** Called with a check that says whether the node has become Ready and its server listens. */
  onStarting: (isReady: () => boolean) => void
}

/** Runs until the signal aborts. */
export async function runNodeAgent(options: NodeAgentOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, node, address, root, crashLoop, dockerSocket, dns, sandboxImage } = options
  let isListening = false
  options.onStarting(() => isListening && registration.hasBeenReady)
  await mkdir(root, { recursive: true })
  const machine = await readMachine(root)
  const client = new ApiClient({ ...options.credentials, userAgent: `kubelet/${node}` })
  const docker = new DockerClient(dockerSocket, { clock, timeoutMs: options.runtimeTimeoutMs })
  const events = new EventRecorder(client, { component: 'kubelet', host: node, clock, log })
  const health = new RuntimeHealth(clock, options.runtimeGraceMs)
  const informers = new Informers(client, { clock, log })
  const pods = informers.for(Pods, { fieldSelector: `spec.nodeName=${node}` })
  const services = informers.for(Services)
  const nodes = informers.for(Nodes, { fieldSelector: `metadata.name=${node}` })
  const live = new LiveNode({ client, nodes: nodes.lister, name: node, machine })

  const objects = new ReferencedObjects(client, { clock, log }, (uid, revision) => loop.wakeUid(uid, revision))
  const tokens = new ServiceAccountTokens(client, clock)
  const volumes = new PodVolumes({ root, client, objects, tokens, clock })
  const podDirectory = (uid: string) => volumes.podDirectory(uid)
  const { podCidr, namespaceFile } = options
  const network =
    namespaceFile === undefined
      ? new EngineNetwork(docker, { node, subnet: podCidr, gateway: address })
      : new CniNetwork({ docker, node, podCidr, namespaceFile })
  const observer = new PodObserver(docker, podDirectory, network)
  const runtime = new PodRuntime({
    docker,
    observer,
    images: new ImagePuller(docker, clock),
    definitions: new ContainerDefinitions({ objects, services: services.lister, podDirectory, node }),
    clock,
    node,
    nodeAddress: address,
    allocatable: () => live.facts.allocatable,
    network,
    sandboxImage,
    dns,
  })
  const probes = new Probes({
    docker,
    clock,
    onChange: ({ metadata }) => loop.wake(metadata),
    onUnhealthy: (pod, container, message) => report.recorder(pod, container.name)('Warning', 'Unhealthy', message),
  })
  const stops = new GracefulStops({ docker, clock, log, signal, onStopped: ({ metadata }) => loop.wake(metadata) })
  const statuses = new StatusWriter({ client, clock, log, signal })
  const report: PodReport = new PodReport({ observer, probes, statuses, events, clock, nodeAddress: address })
  const ending = new PodEnding({ runtime, volumes, probes, stops, report, clock, log })
  const starting = new PodStarting({ runtime, ending, report, clock, crashLoop })
  const taken = () => pods.lister.list().filter((pod) => sync.hasTaken(pod))
  const admit = (pod: Pod) => admission(pod, taken(), live.facts)
  const sync: PodSync = new PodSync({
    runtime,
    volumes,
    probes,
    report,
    starting,
    ending,
    clock,
    crashLoop,
    admit,
    refreshNode: (signal) => live.refresh(signal),
  })
  const loop: SyncLoop = new SyncLoop({ name: `kubelet/${node}`, client, pods, sync, statuses, clock, log })

  const prepare = () => prepareRuntime(docker, network, { health, clock, log }, signal)
  const lifecycle = new LifecycleEvents({
    docker: new DockerClient(dockerSocket, { clock, timeoutMs: options.runtimeGraceMs }),
    node,
    relistMs: options.relistMs,
    clock,
    log,
    onChange: (pod, containerId) => {
      observer.forget(containerId)
      loop.wake(pod)
    },
    onRelist: (seen) => loop.onRelist(seen),
    onHealth: (isUp, askedAt) => {
      if (!isUp) health.failed(askedAt)
      // It may have come back without anything that it had.
      else if (health.isSilent) prepare().catch((error: unknown) => log.debug({ err: error }, 'stopped'))
    },
  })
  const identity = { name: node, address, podCidr: options.podCidr, kubeletPort: options.kubeletPort }
  const registration = new NodeRegistration({
    client,
    docker,
    health,
    live,
    events,
    clock,
    log,
    identity,
    machine,
    root,
    periodMs: options.statusPeriodMs,
  })
  const { leasePeriodMs: periodMs } = options
  const lease = new NodeLease({ client, clock, log, node, periodMs, onReachable: () => informers.reconnect() })
  const stats = new StatsSummary({ docker, observer, clock, node })
  const lookup = new ContainerLookup(pods.lister, observer)
  const { tls, logDirectory } = options
  const access = tls && new KubeletAccess({ client, clock, node })
  const server = new KubeletServer({ docker, lookup, stats, logDirectory, access, clock, log })

  await server.listen(address, options.kubeletPort, tls)
  isListening = true
  log.info({ node, address, port: options.kubeletPort }, 'serving logs and exec')
  informers.start(signal)
  const prepared = prepare()
  const started = Promise.all([prepared, services.synced(), nodes.synced()])
  // The node is Ready or it is not: that must be known from the beginning, whatever else is still on its way. But an
  // agent that starts again beside its runtime does not take a Ready node out of service for that.
  const heard = Promise.race([prepared, clock.sleep(options.runtimeGraceMs, signal)]).catch(() => undefined)
  const beats = [heard.then(() => registration.run(signal)), lease.run(signal)]
  try {
    await Promise.race([started, aborted(signal)])
    await Promise.all([loop.run(signal), lifecycle.run(signal), ...beats])
  } finally {
    await server.close()
    probes.stop()
    objects.stop()
    events.stop()
  }
}
