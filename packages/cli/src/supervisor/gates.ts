/**
 * The gates of the components' control loops, by their debug servers: what waits in which queue, and pause, step,
 * resume.
 */

import type { QueueSnapshot } from '@dinghy/shared/reconcile/gate'
import type { StateDir } from '../cluster/state-dir.ts'
import type { ComponentStatus } from './component.ts'
import { readRunFile } from './health.ts'
import { NoAnswer, onDebugServer, send } from './http.ts'

export type GateVerb = 'pause' | 'resume' | 'step' | 'queue'

/** By the name of the control loop. */
export type GateAnswers = Record<string, { paused?: boolean; stepped?: string | null; length?: number } | QueueSnapshot>

const answerWithinMs = 5_000
/** `dinghy status` should not take long because one component does. */
const answerSoonMs = 1_000

/** `loop`: one queue of the component instead of all. Throws with the component's own words when it refuses. */
export async function askGates(debug: string, verb: GateVerb, loop?: string): Promise<GateAnswers> {
  const query = loop === undefined ? '' : `?queue=${encodeURIComponent(loop)}`
  const method = verb === 'queue' ? 'GET' : 'POST'
  const where = onDebugServer(debug, `/debug/${verb}${query}`)
  const { status, text } = await send({ method, ...where, timeoutMs: answerWithinMs })
  if (status !== 200) throw new Error(text.trim() || 'it is not there')
  return (JSON.parse(text) as { queues: GateAnswers }).queues
}

/** Which loops of which components are paused. A component that does not answer has none that we know of. */
export async function pausedQueues(statuses: ComponentStatus[], state: StateDir): Promise<Map<string, string[]>> {
  const answers = statuses.map(async ({ name, pid }): Promise<[string, string[]]> => {
    const debug = pid === undefined ? undefined : readRunFile(state.runFile(name), pid)?.debug
    return [name, debug === undefined ? [] : await pausedOf(debug)]
  })
  return new Map(await Promise.all(answers))
}

async function pausedOf(debug: string): Promise<string[]> {
  try {
    const where = onDebugServer(debug, '/debug/queue')
    const { status, text } = await send({ method: 'GET', ...where, timeoutMs: answerSoonMs })
    if (status !== 200) return []
    const { queues } = JSON.parse(text) as { queues: Record<string, QueueSnapshot> }
    return Object.entries(queues).flatMap(([name, queue]) => (queue.paused ? [name] : []))
  } catch (error) {
    if (error instanceof NoAnswer) return []
    throw error
  }
}
