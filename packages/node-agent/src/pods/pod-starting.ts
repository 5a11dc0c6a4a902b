/**
 * How the containers of a pod come to run: the ones that pod-actions.ts wants are started one after the other, and for
 * each that could not be started it is remembered why, and when to try again. Follows upstream's SyncPod.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Pod } from '@dinghy/shared/api/types'
import { StartError } from '../containers/start-error.ts'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import type { MountedVolumes } from '../volumes/pod-volumes.ts'
import type { ContainerStart } from './container-actions.ts'
import type { CrashLoopLimits } from '../containers/crash-loop.ts'
import { latestOf, type ObservedPod, type ObservedSandbox } from '../observed/observed-pod.ts'
import type { PodEnding } from './pod-ending.ts'
import type { PodProgress } from './pod-progress.ts'
import type { PodReport } from './pod-report.ts'
import type { PodRuntime } from './pod-runtime.ts'

export interface PodStartingDeps {
  runtime: PodRuntime
  ending: PodEnding
  report: PodReport
  clock: Clock
  crashLoop: CrashLoopLimits
}

/** How long a failed pull shows as ErrImagePull before it shows as ImagePullBackOff. */
const pullErrorMs = 2_000

export class PodStarting {
  readonly #deps: PodStartingDeps

  constructor(deps: PodStartingDeps) {
    this.#deps = deps
  }

  /** Returns whether the engine has something new to show. */
  async startAll(
    pod: Pod,
    observed: ObservedPod,
    starts: readonly ContainerStart[],
    volumes: MountedVolumes,
    progress: PodProgress,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock } = this.#deps
    const [sandbox] = observed.sandboxes
    if (!sandbox) return false
    let isNew = false
    for (const start of starts) {
      const { name } = start.container
      const failure = progress.failures.get(name)
      if (failure && clock.now() < failure.retryAt) continue
      try {
        await this.#start(pod, start, observed, sandbox, volumes, signal)
        progress.failures.delete(name)
        isNew = true
      } catch (error) {
        if (!(error instanceof StartError)) throw error
        progress.failures.set(name, this.#failure(pod, name, error))
        // What the engine could not start is there all the same, with its exit code: look at it.
        if (error.reason === 'RunContainerError') isNew = true
        // Init containers come one after the other: the next one is not to overtake this one.
        if (start.role === 'init') break
      }
    }
    return isNew
  }

  async #start(
    pod: Pod,
    start: ContainerStart,
    observed: ObservedPod,
    sandbox: ObservedSandbox,
    volumes: MountedVolumes,
    signal: AbortSignal,
  ): Promise<void> {
    const { runtime, ending, report } = this.#deps
    const { container } = start
    const record = report.recorder(pod, container.name)
    const target = 'targetContainerName' in container ? container.targetContainerName : undefined
    const targetId = target ? latestOf(observed, target)?.id : undefined
    const id = await runtime.startContainer(pod, start, { sandbox, volumes, targetId }, record, signal)
    const postStart = container.lifecycle?.postStart
    if (!postStart) return
    const [podIP = ''] = runtime.placeOf(pod, sandbox).podIPs
    try {
      await runtime.runHook(postStart, { pod, container, containerId: id, podIP }, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (isUnreachable(error)) throw error
      record('Warning', 'FailedPostStartHook', 'PostStartHook failed')
      ending.stop(pod, observed, { id, name: container.name }, 'FailedPostStartHook')
      throw new StartError('PostStartHookError', (error as Error).message, { cause: error })
    }
  }

  #failure(pod: Pod, name: string, { reason, message, retryAt }: StartError) {
    const { report, clock } = this.#deps
    if (reason.startsWith('ErrImage') || reason.startsWith('ImagePull')) {
      report.recorder(pod, name)('Warning', 'Failed', `Error: ${reason}`)
    }
    return { reason, message, retryAt: retryAt ?? clock.now() + this.#pauseAfter(reason) }
  }

  #pauseAfter(reason: string): number {
    // This one is being stopped: its restart is a matter of the crash loop.
    if (reason === 'PostStartHookError') return 0
    return reason === 'ErrImagePull' ? pullErrorMs : this.#deps.crashLoop.baseMs
  }
}
