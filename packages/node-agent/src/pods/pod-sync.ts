/**
 * One pod, brought a step nearer to what its spec says. This is the acting half of pod-actions.ts: look, decide, show,
 * act, and look again until nothing is left to do or something has to be waited for.
 *
 *   observe ─► ending? ──yes──► pod-ending.ts
 *      ▲         │ no
 *      │     podActions ─► show the status (written beside the work, see status-writer.ts)
 *      │         ▼
 *      └── kill · mount · make the sandbox · start containers (pod-starting.ts)
 *
 * Callers may rely on: sync() may be called at any time and any number of times, for one pod not twice at once; all it
 * remembers are things under way (pod-progress.ts), which an agent that starts anew can do without.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Pod } from '@dinghy/shared/api/types'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import type { Probes } from '../probes/probes.ts'
import { MountError, type MountedVolumes, type PodVolumes } from '../volumes/pod-volumes.ts'
import { exceededLimit, hasSizeLimits, measureEveryMs } from '../volumes/size-limits.ts'
import type { Refusal } from './admission.ts'
import type { PodActions } from './container-actions.ts'
import type { WaitingReason } from './container-status.ts'
import type { CrashLoopLimits } from '../containers/crash-loop.ts'
import { latestOf, type ObservedPod, type ObservedSandbox } from '../observed/observed-pod.ts'
import { podActions } from './pod-actions.ts'
import { isTerminal } from './pod-conditions.ts'
import type { PodEnding } from './pod-ending.ts'
import { newProgress, type PodProgress } from './pod-progress.ts'
import type { PodReport } from './pod-report.ts'
import type { PodRuntime } from './pod-runtime.ts'
import type { PodStarting } from './pod-starting.ts'

export interface PodSyncDeps {
  runtime: PodRuntime
  volumes: PodVolumes
  probes: Probes
  report: PodReport
  starting: PodStarting
  ending: PodEnding
  clock: Clock
  crashLoop: CrashLoopLimits
  /** Why this node cannot take the pod, asked before its first container. */
  admit: (pod: Pod) => Refusal | undefined
  /** Looks at the Node object anew. */
  refreshNode: (signal: AbortSignal) => Promise<unknown>
}

export type Later = { requeueAfterMs: number } | undefined

/** More rounds than any pod needs: a safety net under "until nothing is left to do". */
const mostRounds = 40
const firstMountRetryMs = 500
const longestMountRetryMs = 122_000

export class PodSync {
  readonly #deps: PodSyncDeps
  /** By pod uid. */
  readonly #progress = new Map<string, PodProgress>()

  constructor(deps: PodSyncDeps) {
    this.#deps = deps
  }

  async sync(pod: Pod, signal: AbortSignal): Promise<Later> {
    const progress = this.#progressOf(pod.metadata.uid)
    const interrupted = AbortSignal.any([signal, progress.interrupt.signal])
    try {
      return await this.#rounds(pod, progress, pod.metadata.deletionTimestamp ? signal : interrupted)
    } catch (error) {
      // The pod was deleted while we were busy with it: the next sync ends it.
      if (!progress.interrupt.signal.aborted || signal.aborted) throw error
      progress.interrupt = new AbortController()
      return { requeueAfterMs: 0 }
    }
  }

  /** Whether the pod takes room on this node, rather than asking for it. */
  hasTaken({ metadata, status }: Pod): boolean {
    return status.startTime !== undefined || this.#progress.get(metadata.uid)?.admitted === true
  }

  /** Somebody deletes the pod. */
  interrupt(podUid: string): void {
    this.#progress.get(podUid)?.interrupt.abort()
  }

  /** For a pod whose object is gone. */
  async endOrphan(podUid: string, signal: AbortSignal): Promise<void> {
    await this.#deps.ending.endOrphan(podUid, signal)
    this.#progress.delete(podUid)
  }

  async #rounds(pod: Pod, progress: PodProgress, signal: AbortSignal): Promise<Later> {
    for (let round = 0; round < mostRounds; round++) {
      const current = this.#deps.report.latest(pod)
      const isLeaving = current.metadata.deletionTimestamp !== undefined
      if (!isLeaving && !(await this.#isAdmitted(current, progress, signal))) return undefined
      const later = await this.#round(current, progress, signal)
      if (later !== 'again') return later
    }
    throw new Error(`the pod did not come to rest after ${mostRounds} rounds`)
  }

  async #round(pod: Pod, progress: PodProgress, signal: AbortSignal): Promise<Later | 'again'> {
    const { runtime, probes, clock, crashLoop, ending, report } = this.#deps
    const observed = await runtime.observe(pod.metadata.uid, signal)
    const verdict = this.#deadlineVerdict(pod) ?? progress.evicted
    const isEnding =
      pod.metadata.deletionTimestamp !== undefined || isTerminal(pod.status.phase) || verdict !== undefined
    const [podIP] = runtime.placeOf(pod, observed.sandboxes[0]).podIPs
    probes.follow(pod, observed, podIP, isEnding)
    if (isEnding) return await ending.end(pod, observed, progress, verdict, signal)
    const { stopping } = ending
    const actions = podActions({ pod, observed, probes, stopping, crashLoop, nowMs: clock.now() })
    forgetFailures(progress, observed)
    report.status(pod, observed, { actions, progress })
    if (actions.killPod && !actions.createSandbox) return await ending.end(pod, observed, progress, undefined, signal)
    return await this.#act(pod, observed, actions, progress, signal)
  }

  async #act(
    pod: Pod,
    observed: ObservedPod,
    actions: PodActions,
    progress: PodProgress,
    signal: AbortSignal,
  ): Promise<Later | 'again'> {
    const { runtime, ending, starting, report } = this.#deps
    if (actions.killPod && !(await ending.clearOldSandbox(pod, observed, signal))) return undefined
    for (const kill of actions.kill) ending.kill(pod, observed, kill)
    await runtime.remove(actions.remove, signal)
    const volumes = await this.#mount(pod, observed.sandboxes[0], progress, signal)
    if (!volumes) {
      return { requeueAfterMs: Math.min(firstMountRetryMs * 2 ** (progress.mountFailures - 1), longestMountRetryMs) }
    }
    if (actions.createSandbox) {
      await this.#createSandbox(pod, actions.createSandbox.attempt, signal)
      return 'again'
    }
    if (await starting.startAll(pod, observed, actions.start, volumes, progress, signal)) return 'again'
    if (await this.#isEvicted(pod, progress, volumes)) return 'again'
    report.backOffs(pod, actions)
    report.status(pod, observed, { actions, progress })
    return this.#comeBack(pod, actions, progress, volumes)
  }

  async #createSandbox(pod: Pod, attempt: number, signal: AbortSignal): Promise<void> {
    const { runtime, report } = this.#deps
    if (attempt > 0) {
      report.event(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
    }
    try {
      await runtime.createSandbox(pod, attempt, signal)
    } catch (error) {
      if (!signal.aborted && !isUnreachable(error)) {
        const message = `Failed to create pod sandbox: ${(error as Error).message}`
        report.event(pod, 'Warning', 'FailedCreatePodSandBox', message)
      }
      throw error
    }
  }

  /** undefined: not yet; an event has said why. */
  async #mount(
    pod: Pod,
    sandbox: ObservedSandbox | undefined,
    progress: PodProgress,
    signal: AbortSignal,
  ): Promise<MountedVolumes | undefined> {
    const { volumes, runtime, report } = this.#deps
    try {
      const mounted = await volumes.mount(pod, runtime.placeOf(pod, sandbox), signal)
      for (const warning of mounted.warnings) report.event(pod, 'Warning', 'VolumeWarning', warning)
      progress.mountFailures = 0
      return mounted
    } catch (error) {
      if (!(error instanceof MountError)) throw error
      report.event(pod, 'Warning', 'FailedMount', error.message)
      progress.mountFailures += 1
      return undefined
    }
  }

  /** When the pod must be looked at again although nothing has happened. */
  #comeBack(pod: Pod, { backOff, start }: PodActions, progress: PodProgress, volumes: MountedVolumes): Later {
    const deadline = deadlineOf(pod)
    const moments = [
      ...backOff.map(({ untilMs }) => untilMs),
      ...start.flatMap(({ container }) => progress.failures.get(container.name)?.retryAt ?? []),
      ...(volumes.refreshAt === undefined ? [] : [volumes.refreshAt]),
      ...(deadline === undefined ? [] : [deadline]),
      ...(hasSizeLimits(pod) ? [progress.measureAt] : []),
    ]
    if (moments.length === 0) return undefined
    return { requeueAfterMs: Math.max(1, Math.min(...moments) - this.#deps.clock.now()) }
  }

  /** A pod that fills a volume beyond its limit goes; see size-limits.ts. */
  async #isEvicted(pod: Pod, progress: PodProgress, { paths }: MountedVolumes): Promise<boolean> {
    const { clock, report } = this.#deps
    if (!hasSizeLimits(pod) || clock.now() < progress.measureAt) return false
    const message = await exceededLimit(pod, paths)
    progress.measureAt = clock.now() + measureEveryMs
    if (message === undefined) return false
    report.event(pod, 'Warning', 'Evicted', message)
    progress.evicted = { reason: 'Evicted', message }
    return true
  }

  #deadlineVerdict(pod: Pod): WaitingReason | undefined {
    const deadline = deadlineOf(pod)
    if (deadline === undefined || this.#deps.clock.now() < deadline || isTerminal(pod.status.phase)) return undefined
    const message = 'Pod was active on the node longer than the specified deadline'
    this.#deps.report.event(pod, 'Normal', 'DeadlineExceeded', message)
    return { reason: 'DeadlineExceeded', message }
  }

  /** Asked once, before anything of the pod runs; a refused pod is over before it began. */
  async #isAdmitted(pod: Pod, progress: PodProgress, signal: AbortSignal): Promise<boolean> {
    if (progress.admitted || pod.status.startTime !== undefined || isTerminal(pod.status.phase)) return true
    const { admit, refreshNode } = this.#deps
    let refusal = admit(pod)
    if (refusal?.reason === 'NodeAffinity') {
      // The scheduler may have seen a label that has not come here yet.
      await refreshNode(signal)
      refusal = admit(pod)
    }
    // Nothing may be awaited between question and answer: two pods could take the last room.
    progress.admitted = !refusal
    if (refusal) this.#deps.report.rejected(pod, refusal)
    return !refusal
  }

  #progressOf(uid: string): PodProgress {
    const known = this.#progress.get(uid) ?? newProgress()
    this.#progress.set(uid, known)
    return known
  }
}

/** A container that runs has nothing to wait for any more. */
function forgetFailures({ failures }: PodProgress, observed: ObservedPod): void {
  for (const [name, { reason }] of failures) {
    const isRunning = latestOf(observed, name)?.state === 'running'
    if (isRunning && reason !== 'PostStartHookError') failures.delete(name)
  }
}

/** activeDeadlineSeconds, as a moment. */
function deadlineOf({ spec, status }: Pod): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || status.startTime === undefined) return undefined
  return Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000
}
