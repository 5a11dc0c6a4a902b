// One pod, brought a step nearer to what its spec says. This is the acting half of pod-actions.ts: look, decide, show,
// act, and look again until nothing is left to do or something has to be waited for.
//
//   observe ─► ending? ──yes─► stop what runs ─► last status ─► delete the object ─► remove the containers
//      ▲         │no
//      │         ▼
//      └── act ◄─ podActions ─► status (written beside the work, see status-writer.ts)
//
// Callers may rely on: sync() may be called at any time and any number of times, for one pod not twice at once; all it
// remembers are things under way, which an agent that starts anew can do without.

import type { Clock } from '@dinghy/shared/api/clock'
import { hasReason } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { Container, Pod } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { EventRecorder } from '@dinghy/shared/client/events'
import type { Logger } from '@dinghy/shared/client/logger'
import type { ImagePuller, RecordEvent } from '../containers/image-puller.ts'
import { podText } from '../containers/labels.ts'
import { runHook } from '../containers/lifecycle-hooks.ts'
import { StartError } from '../containers/start-error.ts'
import type { DockerClient } from '../docker/docker-client.ts'
import { isUnreachable } from '../docker/docker-error.ts'
import type { Probes } from '../probes/probes.ts'
import { MountError, type MountedVolumes, type PodVolumes } from '../volumes/pod-volumes.ts'
import type { ReferencedObjects } from '../volumes/referenced-objects.ts'
import type { ContainerKill, ContainerStart, PodActions } from './container-actions.ts'
import type { WaitingReason } from './container-status.ts'
import type { ContainerStopper } from './container-stopper.ts'
import { goDuration, type CrashLoopLimits } from './crash-loop.ts'
import { latestOf, type ObservedContainer, type ObservedPod, type ObservedSandbox } from './observed-pod.ts'
import { podActions } from './pod-actions.ts'
import { isTerminal } from './pod-conditions.ts'
import type { PodRuntime } from './pod-runtime.ts'
import { podStatus } from './pod-status.ts'
import { graceSeconds, terminationStep } from './pod-termination.ts'
import type { StatusWriter } from './status-writer.ts'

export interface PodSyncOptions {
  client: ApiClient
  docker: DockerClient
  runtime: PodRuntime
  volumes: PodVolumes
  objects: ReferencedObjects
  images: ImagePuller
  probes: Probes
  stopper: ContainerStopper
  statuses: StatusWriter
  events: EventRecorder
  clock: Clock
  log: Logger
  nodeAddress: string
  crashLoop: CrashLoopLimits
  /** Why this node cannot take the pod, asked once before its first container. */
  admit: (pod: Pod) => { reason: string; message: string } | undefined
}

/** Things under way for one pod. */
interface Progress {
  admitted: boolean
  /** By container name: why the last attempt to start it failed. */
  failures: Map<string, WaitingReason & { retryAt: number }>
  mountFailures: number
  /** The DELETE that ends the object has been sent. */
  deleted: boolean
  interrupt: AbortController
}

type Later = { requeueAfterMs: number } | undefined

/** More rounds than any pod needs: a safety net under "until nothing is left to do". */
const mostRounds = 40
/** How long a failed pull shows as ErrImagePull before it shows as ImagePullBackOff. */
const pullErrorMs = 2_000
const firstMountRetryMs = 500
const longestMountRetryMs = 122_000

export class PodSync {
  readonly #options: PodSyncOptions
  readonly #progress = new Map<string, Progress>()

  constructor(options: PodSyncOptions) {
    this.#options = options
  }

  async sync(pod: Pod, signal: AbortSignal): Promise<Later> {
    const progress = this.#progressOf(pod.metadata.uid)
    const interrupted = AbortSignal.any([signal, progress.interrupt.signal])
    try {
      return await this.#rounds(pod, progress, pod.metadata.deletionTimestamp ? signal : interrupted)
    } catch (error) {
      // The pod was deleted while we were busy with it: the next sync, which is queued already, ends it.
      if (progress.interrupt.signal.aborted && !signal.aborted) {
        progress.interrupt = new AbortController()
        return { requeueAfterMs: 0 }
      }
      throw error
    }
  }

  /** Whether the pod takes room on this node, rather than asking for it. */
  hasTaken({ metadata, status }: Pod): boolean {
    return status.startTime !== undefined || this.#progress.get(metadata.uid)?.admitted === true
  }

  /** Somebody deletes the pod: a pull or a hook under way must not hold that up. */
  interrupt(podUid: string): void {
    this.#progress.get(podUid)?.interrupt.abort()
  }

  /** Ends what runs of a pod whose object is gone. Resolves when nothing is left of it. */
  async endOrphan(podUid: string, signal: AbortSignal): Promise<void> {
    const { docker, runtime, volumes, probes, statuses, images, log } = this.#options
    const observed = await runtime.observe(podUid, signal)
    probes.forget(podUid)
    log.info({ uid: podUid, containers: observed.containers.length }, 'removing what is left of a deleted pod')
    // The object is gone, so somebody forced its end or it has had its time: one second, as upstream.
    const running = observed.containers.filter(({ state }) => state === 'running')
    await Promise.all(running.map(({ id }) => docker.stopContainer(id, 1, signal)))
    await this.#removeAll(observed)
    await volumes.teardown(podUid)
    statuses.forget(podUid)
    images.forget(podUid)
    this.#progress.delete(podUid)
  }

  async #rounds(pod: Pod, progress: Progress, signal: AbortSignal): Promise<Later> {
    const { statuses } = this.#options
    for (let round = 0; round < mostRounds; round++) {
      const current = statuses.latest(pod)
      if (!current.metadata.deletionTimestamp && !this.#isAdmitted(current, progress)) return undefined
      const later = await this.#round(current, progress, signal)
      if (later !== 'again') return later
    }
    throw new Error(`the pod did not come to rest after ${mostRounds} rounds`)
  }

  async #round(pod: Pod, progress: Progress, signal: AbortSignal): Promise<Later | 'again'> {
    const { runtime, probes, stopper, clock, crashLoop } = this.#options
    const observed = await runtime.observe(pod.metadata.uid, signal)
    const verdict = this.#deadlineVerdict(pod)
    const ending = pod.metadata.deletionTimestamp !== undefined || isTerminal(pod.status.phase) || verdict !== undefined
    const [podIP] = runtime.placeOf(pod, observed.sandboxes[0]).podIPs
    probes.follow(pod, observed, podIP, ending)
    if (ending) return await this.#end(pod, observed, progress, verdict, signal)
    const actions = podActions({
      pod,
      observed,
      probes,
      stopping: stopper.stopping,
      crashLoop,
      nowMs: clock.now(),
    })
    this.#forgetFailures(progress, observed)
    this.#publish(pod, observed, progress, { actions })
    if (actions.killPod && !actions.createSandbox) return await this.#end(pod, observed, progress, undefined, signal)
    return await this.#act(pod, observed, actions, progress, signal)
  }

  async #act(
    pod: Pod,
    observed: ObservedPod,
    actions: PodActions,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Later | 'again'> {
    const { runtime } = this.#options
    if (actions.killPod && !(await this.#clearForNewSandbox(pod, observed))) return undefined
    for (const kill of actions.kill) this.#kill(pod, observed, kill)
    for (const id of actions.remove) await runtime.remove(id, signal)
    const volumes = await this.#mount(pod, observed.sandboxes[0], progress, signal)
    if (!volumes) {
      const delayMs = Math.min(firstMountRetryMs * 2 ** (progress.mountFailures - 1), longestMountRetryMs)
      this.#publish(pod, observed, progress, { actions })
      return { requeueAfterMs: delayMs }
    }
    if (actions.createSandbox) {
      await this.#createSandbox(pod, actions.createSandbox.attempt, signal)
      // Files that tell the pod its own address can only be written now.
      progress.mountFailures = 0
      return 'again'
    }
    const started = await this.#startAll(pod, observed, actions.start, volumes, progress, signal)
    if (started) return 'again'
    this.#announceBackOffs(pod, actions)
    this.#publish(pod, observed, progress, { actions })
    return this.#comeBack(pod, actions, progress, volumes)
  }

  /** Returns whether anything was started, so that it is worth looking again. */
  async #startAll(
    pod: Pod,
    observed: ObservedPod,
    starts: readonly ContainerStart[],
    volumes: MountedVolumes,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock } = this.#options
    const [sandbox] = observed.sandboxes
    if (!sandbox) return false
    let started = false
    for (const start of starts) {
      const { name } = start.container
      const failure = progress.failures.get(name)
      if (failure && clock.now() < failure.retryAt) continue
      try {
        await this.#start(pod, start, observed, sandbox, volumes, signal)
        progress.failures.delete(name)
        started = true
      } catch (error) {
        if (!(error instanceof StartError)) throw error
        const { reason, message } = error
        const retryAt = error.retryAt ?? clock.now() + this.#pauseAfter(reason)
        progress.failures.set(name, { reason, message, retryAt })
        if (reason.startsWith('ErrImage') || reason.startsWith('ImagePull')) {
          this.#recorder(pod, name, start.role)('Warning', 'Failed', `Error: ${reason}`)
        }
        // What the engine could not start is there all the same, with its exit code: look at it.
        if (reason === 'RunContainerError') started = true
        // Init containers come one after the other: the next one is not to overtake this one.
        if (start.role === 'init') break
      }
    }
    return started
  }

  async #start(
    pod: Pod,
    start: ContainerStart,
    observed: ObservedPod,
    sandbox: ObservedSandbox,
    volumes: MountedVolumes,
    signal: AbortSignal,
  ): Promise<void> {
    const { runtime, docker, clock } = this.#options
    const { container } = start
    const record = this.#recorder(pod, container.name, start.role)
    const target = 'targetContainerName' in container ? container.targetContainerName : undefined
    const targetId = target ? latestOf(observed, target)?.id : undefined
    const id = await runtime.startContainer(pod, start, { sandbox, volumes, targetId }, record, signal)
    const postStart = container.lifecycle?.postStart
    if (!postStart) return
    const [podIP = ''] = runtime.placeOf(pod, sandbox).podIPs
    try {
      await runHook(docker, clock, postStart, { pod, container, containerId: id, podIP }, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (isUnreachable(error)) throw error
      const { message } = error as Error
      record('Warning', 'FailedPostStartHook', 'PostStartHook failed')
      this.#stop(pod, id, container, observed, 'FailedPostStartHook', graceSeconds(pod, clock.now()))
      throw new StartError('PostStartHookError', message, { cause: error })
    }
  }

  async #createSandbox(pod: Pod, attempt: number, signal: AbortSignal): Promise<void> {
    const { runtime, events } = this.#options
    if (attempt > 0) {
      events.event(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
    }
    try {
      await runtime.createSandbox(pod, attempt, signal)
    } catch (error) {
      if (!signal.aborted && !isUnreachable(error)) {
        const message = `Failed to create pod sandbox: ${(error as Error).message}`
        events.event(pod, 'Warning', 'FailedCreatePodSandBox', message)
      }
      throw error
    }
  }

  /** undefined: not yet; an event has said why. */
  async #mount(
    pod: Pod,
    sandbox: ObservedSandbox | undefined,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<MountedVolumes | undefined> {
    const { objects, volumes, runtime, events } = this.#options
    try {
      await objects.hold(pod)
      const mounted = await volumes.mount(pod, runtime.placeOf(pod, sandbox), signal)
      for (const warning of mounted.warnings) events.event(pod, 'Warning', 'VolumeWarning', warning)
      progress.mountFailures = 0
      return mounted
    } catch (error) {
      if (!(error instanceof MountError)) throw error
      events.event(pod, 'Warning', 'FailedMount', error.message)
      progress.mountFailures += 1
      return undefined
    }
  }

  /** Everything of the old sandbox must be gone before the new one comes. True when it is. */
  async #clearForNewSandbox(pod: Pod, observed: ObservedPod): Promise<boolean> {
    const step = terminationStep(pod, observed, this.#options.stopper.stopping)
    this.#stopStep(pod, observed, step.stop)
    for (const id of step.killSandboxes) await this.#options.docker.killContainer(id, 'KILL')
    return step.done || step.killSandboxes.length > 0
  }

  async #end(
    pod: Pod,
    observed: ObservedPod,
    progress: Progress,
    verdict: WaitingReason | undefined,
    signal: AbortSignal,
  ): Promise<Later | 'again'> {
    const { stopper, docker, statuses, objects, probes } = this.#options
    const step = terminationStep(pod, observed, stopper.stopping)
    this.#stopStep(pod, observed, step.stop)
    if (pod.metadata.deletionTimestamp) this.#hasten(pod, observed)
    for (const id of step.killSandboxes) await docker.killContainer(id, 'KILL', signal)
    if (step.killSandboxes.length > 0) return 'again'
    // A pod that this node has refused never was here: there is nothing to tell of its containers.
    if (pod.status.startTime !== undefined || !isTerminal(pod.status.phase)) {
      this.#publish(pod, observed, progress, { ending: true, ended: step.done, verdict })
    }
    if (!step.done) return undefined
    probes.forget(pod.metadata.uid)
    objects.release(pod.metadata.uid)
    if (!pod.metadata.deletionTimestamp || progress.deleted) return undefined
    await statuses.flush(pod.metadata.uid)
    await this.#removeAll(observed)
    await this.#options.volumes.teardown(pod.metadata.uid)
    await this.#deleteObject(pod, signal)
    progress.deleted = true
    return undefined
  }

  async #deleteObject({ metadata }: Pod, signal: AbortSignal): Promise<void> {
    const { namespace = 'default', name, uid } = metadata
    try {
      const options = { gracePeriodSeconds: 0, preconditions: { uid } }
      await this.#options.client.delete(Pods, { namespace, name }, options, signal)
    } catch (error) {
      // Gone already, or there is a new pod of that name: either way ours is.
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error
    }
  }

  #stopStep(pod: Pod, observed: ObservedPod, stop: readonly ObservedContainer[]): void {
    for (const { id, name } of stop) {
      const message = `Stopping container ${name}`
      this.#stop(pod, id, definitionOf(pod, name), observed, message, graceSeconds(pod, this.#options.clock.now()))
    }
  }

  /** The grace may have become shorter since the stop began: `kubectl delete --now` after `kubectl delete`. */
  #hasten(pod: Pod, observed: ObservedPod): void {
    const { stopper, clock } = this.#options
    for (const { id, name, state } of observed.containers) {
      if (state !== 'running' || !stopper.stopping.has(id)) continue
      const container = definitionOf(pod, name)
      const grace = graceSeconds(pod, clock.now())
      stopper.stop({ pod, containerId: id, container, podIP: '', graceSeconds: grace, onHookFailed: () => undefined })
    }
  }

  #kill(pod: Pod, observed: ObservedPod, { id, name, message, probe }: ContainerKill): void {
    const container = definitionOf(pod, name)
    const ofProbe = probe && container?.[probe]?.terminationGracePeriodSeconds
    this.#stop(pod, id, container, observed, message, ofProbe ?? graceSeconds(pod, this.#options.clock.now()))
  }

  #stop(
    pod: Pod,
    containerId: string,
    container: Container | undefined,
    observed: ObservedPod,
    message: string,
    grace: number,
  ): void {
    const { stopper, runtime } = this.#options
    const [podIP = ''] = runtime.placeOf(pod, observed.sandboxes[0]).podIPs
    const record: RecordEvent = container ? this.#recorder(pod, container.name) : () => undefined
    record('Normal', 'Killing', message)
    const onHookFailed = (text: string): void => {
      this.#options.log.warn({ pod: pod.metadata.name, container: container?.name, text }, 'a preStop hook failed')
      record('Warning', 'FailedPreStopHook', 'PreStopHook failed')
    }
    stopper.stop({ pod, containerId, container, podIP, graceSeconds: grace, onHookFailed })
  }

  #publish(
    pod: Pod,
    observed: ObservedPod,
    progress: Progress,
    facts: { actions?: PodActions; ending?: boolean; ended?: boolean; verdict?: WaitingReason | undefined },
  ): void {
    const { statuses, probes, runtime, nodeAddress, clock } = this.#options
    const waiting = new Map<string, WaitingReason>()
    for (const { name, delayMs } of facts.actions?.backOff ?? []) {
      const message = `back-off ${goDuration(delayMs)} restarting failed container=${name} pod=${podText(pod)}`
      waiting.set(name, { reason: 'CrashLoopBackOff', message })
    }
    for (const { container } of facts.actions?.start ?? []) {
      const failure = progress.failures.get(container.name)
      if (failure) waiting.set(container.name, { reason: failure.reason, message: failure.message })
    }
    const status = podStatus({
      pod: statuses.latest(pod),
      observed,
      hostIP: nodeAddress,
      waiting,
      readinessOf: (id, container) => probes.readinessOf(id, container),
      imageIdOf: (id) => runtime.imageIdOf(id),
      ending: facts.ending ?? false,
      ended: facts.ended ?? false,
      ...(facts.verdict ? { verdict: facts.verdict } : {}),
      nowMs: clock.now(),
    })
    statuses.publish(pod, status)
  }

  #announceBackOffs(pod: Pod, { backOff }: PodActions): void {
    for (const { name } of backOff) {
      const message = `Back-off restarting failed container ${name} in pod ${podText(pod)}`
      this.#recorder(pod, name)('Warning', 'BackOff', message)
    }
  }

  /** When the pod must be looked at again although nothing has happened. */
  #comeBack(pod: Pod, { backOff, start }: PodActions, progress: Progress, volumes: MountedVolumes): Later {
    const now = this.#options.clock.now()
    const moments = [
      ...backOff.map(({ untilMs }) => untilMs),
      ...start.flatMap(({ container }) => progress.failures.get(container.name)?.retryAt ?? []),
      ...(volumes.refreshAt === undefined ? [] : [volumes.refreshAt]),
      ...(deadlineOf(pod) ?? []),
    ]
    return moments.length === 0 ? undefined : { requeueAfterMs: Math.max(1, Math.min(...moments) - now) }
  }

  #deadlineVerdict(pod: Pod): WaitingReason | undefined {
    const [deadline] = deadlineOf(pod) ?? []
    if (deadline === undefined || this.#options.clock.now() < deadline || isTerminal(pod.status.phase)) return undefined
    const message = 'Pod was active on the node longer than the specified deadline'
    this.#options.events.event(pod, 'Normal', 'DeadlineExceeded', message)
    return { reason: 'DeadlineExceeded', message }
  }

  /** Asked once, before anything of the pod runs; a refused pod is over before it began. */
  #isAdmitted(pod: Pod, progress: Progress): boolean {
    if (progress.admitted || pod.status.startTime !== undefined || isTerminal(pod.status.phase)) return true
    const { admit, events, statuses } = this.#options
    const refusal = admit(pod)
    progress.admitted = !refusal
    if (!refusal) return true
    events.event(pod, 'Warning', refusal.reason, refusal.message)
    const message = `Pod was rejected: ${refusal.message}`
    statuses.publish(pod, { ...pod.status, phase: 'Failed', reason: refusal.reason, message })
    return false
  }

  #pauseAfter(reason: string): number {
    // This one is being stopped: its restart is a matter of the crash loop.
    if (reason === 'PostStartHookError') return 0
    return reason === 'ErrImagePull' ? pullErrorMs : this.#options.crashLoop.baseMs
  }

  /** A container that runs has nothing to wait for any more. */
  #forgetFailures({ failures }: Progress, observed: ObservedPod): void {
    for (const [name, { reason }] of failures) {
      const running = latestOf(observed, name)?.state === 'running'
      if (running && reason !== 'PostStartHookError') failures.delete(name)
    }
  }

  #recorder(pod: Pod, container: string, role?: ContainerStart['role']): RecordEvent {
    const isInit =
      role === 'init' || role === 'sidecar' || (pod.spec.initContainers ?? []).some(({ name }) => name === container)
    const list = isInit ? 'initContainers' : role === 'ephemeral' ? 'ephemeralContainers' : 'containers'
    return (type, reason, message) => {
      this.#options.events.event(pod, type, reason, message, `spec.${list}{${container}}`)
    }
  }

  async #removeAll({ sandboxes, containers }: ObservedPod): Promise<void> {
    await Promise.all([...containers, ...sandboxes].map(({ id }) => this.#options.runtime.remove(id)))
  }

  #progressOf(uid: string): Progress {
    const known = this.#progress.get(uid)
    if (known) return known
    const interrupt = new AbortController()
    const fresh: Progress = { admitted: false, failures: new Map(), mountFailures: 0, deleted: false, interrupt }
    this.#progress.set(uid, fresh)
    return fresh
  }
}

function definitionOf({ spec }: Pod, name: string): Container | undefined {
  return [...(spec.initContainers ?? []), ...spec.containers].find((container) => container.name === name)
}

function deadlineOf({ spec, status }: Pod): [number] | undefined {
  if (spec.activeDeadlineSeconds === undefined || status.startTime === undefined) return undefined
  return [Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000]
}
