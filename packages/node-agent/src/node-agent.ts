/**
 * The node agent put together: which part is given which. Read it as the map of this package.
 *
 *   api-server ──watch──► SyncLoop ──► PodSync ──► PodObserver ◄──────────┐
 *       ▲  ▲                 ▲           │  ├────► ContainerStarter ──► DockerClient ──► engine
 *       │  └── StatusWriter ◄┼─ PodReport┘  ├────► PodEnding ─────────────┘                │
 *       │                    │              └────► Probes, PodVolumes                      │
 *       └── NodeRegistration └───────────────────── LifecycleEvents ◄──────────────────────┘
 *           NodeLease
 *
 * It keeps no state of its own that matters: killed and started again it finds everything in the API and in the labels
 * of the containers, and goes on where it was. Containers run on without it.
 */

import { mkdir } from 'node:fs/promises'
import type { Clock } from '@dinghy/shared/api/clock'
import { Pods, Services } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import type { Logger } from '@dinghy/shared/client/logger'
import { ImagePuller } from './containers/image-puller.ts'
import type { DnsSettings } from './containers/pod-dns.ts'
import { DockerClient } from './docker/docker-client.ts'
import { readMachine } from './node/machine.ts'
import { NodeLease } from './node/node-lease.ts'
import { allocatableOf, nodeLabels } from './node/node-object.ts'
import { NodeRegistration } from './node/node-registration.ts'
import { prepareRuntime, RuntimeHealth } from './node/runtime-health.ts'
import { admission } from './pods/admission.ts'
import { ContainerMaker } from './pods/container-maker.ts'
import { ContainerStarter } from './pods/container-starter.ts'
import { ContainerStopper } from './pods/container-stopper.ts'
import type { CrashLoopLimits } from './containers/crash-loop.ts'
import { LifecycleEvents } from './pods/lifecycle-events.ts'
import { PodEnding } from './pods/pod-ending.ts'
import { PodObserver } from './pods/pod-observer.ts'
import { PodReport } from './pods/pod-report.ts'
import { PodSync } from './pods/pod-sync.ts'
import { StatusWriter } from './pods/status-writer.ts'
import { SyncLoop } from './pods/sync-loop.ts'
import { Probes } from './probes/probes.ts'
import { ContainerLookup } from './server/container-lookup.ts'
import { KubeletServer } from './server/kubelet-server.ts'
import { StatsSummary } from './server/stats-summary.ts'
import { PodVolumes } from './volumes/pod-volumes.ts'
import { ReferencedObjects } from './volumes/referenced-objects.ts'
import { ServiceAccountTokens } from './volumes/service-account-tokens.ts'

export interface NodeAgentOptions {
  server: string
  node: string
  address: string
  podCidr: string
  kubeletPort: number
  dockerSocket: string
  root: string
  sandboxImage: string
  dns: DnsSettings
  crashLoop: CrashLoopLimits
  leasePeriodMs: number
  statusPeriodMs: number
  relistMs: number
  /** How long the runtime may be silent before the node is not Ready. */
  runtimeGraceMs: number
  clock: Clock
  log: Logger
  /** Called with a check that says whether the node is registered and its server listens. */
  onStarting: (isReady: () => boolean) => void
}

/** Runs until the signal aborts. */
export async function runNodeAgent(options: NodeAgentOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, node, address, root, crashLoop, dockerSocket, dns, sandboxImage } = options
  let isListening = false
  options.onStarting(() => isListening && registration.isRegistered)
  await mkdir(root, { recursive: true })
  const machine = await readMachine(root)
  const allocatable = allocatableOf(machine)
  const client = new ApiClient({ server: options.server, userAgent: `kubelet/${node}` })
  const docker = new DockerClient(dockerSocket)
  const events = new EventRecorder(client, { component: 'kubelet', host: node, clock, log })
  const health = new RuntimeHealth(clock, options.runtimeGraceMs)
  const informers = new Informers(client, { clock, log })
  const pods = informers.for(Pods, { fieldSelector: `spec.nodeName=${node}` })
  const services = informers.for(Services)

  const objects = new ReferencedObjects(client, { clock, log }, (uid, revision) => loop.wakeUid(uid, revision))
  const tokens = new ServiceAccountTokens(client, clock)
  const volumes = new PodVolumes({ root, client, objects, tokens, clock })
  const images = new ImagePuller(docker, clock)
  const network = { name: node, subnet: options.podCidr, gateway: address, node }
  const observer = new PodObserver(docker, (uid) => volumes.podDirectory(uid))
  const maker = new ContainerMaker({
    docker,
    observer,
    images,
    volumes,
    objects,
    services: services.lister,
    node,
    nodeAddress: address,
    network: network.name,
    sandboxImage,
    dns,
    allocatable,
  })
  const probes = new Probes({
    docker,
    clock,
    onChange: ({ metadata }) => loop.wake(metadata),
    onUnhealthy: (pod, container, message) => report.recorder(pod, container.name)('Warning', 'Unhealthy', message),
  })
  const stopper = new ContainerStopper({ docker, clock, log, signal, onStopped: ({ metadata }) => loop.wake(metadata) })
  const statuses = new StatusWriter({ client, clock, log, signal })
  const report: PodReport = new PodReport({ observer, probes, statuses, events, clock, nodeAddress: address })
  const ending = new PodEnding({
    client,
    docker,
    observer,
    volumes,
    objects,
    images,
    probes,
    stopper,
    statuses,
    report,
    clock,
    log,
    nodeAddress: address,
  })
  const starter = new ContainerStarter({ docker, maker, ending, report, clock, crashLoop })
  const facts = { name: node, labels: nodeLabels(node, machine), allocatable }
  const sync: PodSync = new PodSync({
    docker,
    observer,
    maker,
    starter,
    ending,
    report,
    volumes,
    objects,
    probes,
    stopper,
    statuses,
    events,
    clock,
    crashLoop,
    admit: (pod) =>
      admission(
        pod,
        pods.lister.list().filter((other) => sync.hasTaken(other)),
        facts,
      ),
  })
  const loop: SyncLoop = new SyncLoop({ name: `kubelet/${node}`, pods, sync, statuses, clock, log })

  const prepare = () => prepareRuntime(docker, network, { health, clock, log }, signal)
  const lifecycle = new LifecycleEvents({
    docker,
    node,
    relistMs: options.relistMs,
    clock,
    log,
    onChange: (pod, containerId) => {
      observer.forget(containerId)
      loop.wake(pod)
    },
    onRelist: (seen) => loop.onRelist(seen),
    onHealth: (isUp) => {
      if (!isUp) health.failed()
      // It may have come back without anything that it had.
      else if (health.isSilent) prepare().catch((error: unknown) => log.debug({ err: error }, 'stopped'))
    },
  })
  const identity = { name: node, address, podCidr: options.podCidr, kubeletPort: options.kubeletPort }
  const registration = new NodeRegistration({
    client,
    docker,
    health,
    events,
    clock,
    log,
    identity,
    machine,
    root,
    periodMs: options.statusPeriodMs,
  })
  const lease = new NodeLease({ client, clock, log, node, periodMs: options.leasePeriodMs })
  const stats = new StatsSummary({ docker, observer, clock, node })
  const server = new KubeletServer({ docker, lookup: new ContainerLookup(pods.lister, observer), stats, clock, log })

  await server.listen(address, options.kubeletPort)
  isListening = true
  log.info({ node, address, port: options.kubeletPort }, 'serving logs and exec')
  informers.start(signal)
  const prepared = prepare()
  const started = Promise.all([prepared, services.synced()])
  // The node is Ready or it is not: that must be known from the beginning, whatever else is still on its way. But an
  // agent that starts again beside its runtime does not take a Ready node out of service for that.
  const heard = Promise.race([prepared, clock.sleep(options.runtimeGraceMs, signal)]).catch(() => undefined)
  const beats = [heard.then(() => registration.run(signal)), lease.run(signal)]
  try {
    await Promise.race([started, aborted(signal)])
    await Promise.all([loop.run(signal), lifecycle.run(signal), ...beats])
  } finally {
    server.close()
    probes.stop()
    objects.stop()
    events.stop()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
