/**
 * Tells whoever describes a pod that it waits for no node but for a person: the scheduler's queue is paused.
 * Upstream's cannot be paused and so has no such event.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { EventRecorder } from '@dinghy/shared/client/events'
import type { SchedulingQueue } from './scheduling-queue.ts'

export interface PauseNoticeDeps {
  clock: Clock
  queue: Pick<SchedulingQueue, 'heldPods'>
  events: Pick<EventRecorder, 'event'>
}

const lookEveryMs = 1_000

/** Runs until the signal aborts. Each pod is told once in a pause. */
export async function tellOfPause({ clock, queue, events }: PauseNoticeDeps, signal: AbortSignal): Promise<void> {
  let told = new Set<string>()
  while (!signal.aborted) {
    const waiting = queue.heldPods()
    for (const pod of waiting.filter(({ metadata }) => !told.has(metadata.uid))) {
      events.event(pod, 'Normal', 'SchedulingPaused', message)
    }
    told = new Set(waiting.map(({ metadata }) => metadata.uid))
    await clock.sleep(lookEveryMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}

const message =
  'The scheduler is paused: `dinghy step scheduler` lets one pod through, `dinghy resume scheduler` lets it run.'
