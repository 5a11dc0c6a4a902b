/**
 * Why a component is not ready, in its own words: those with which it ended, or those of the checks that fail.
 */

import { existsSync } from 'node:fs'
import type { StateDir } from '../cluster/state-dir.ts'
import type { ComponentStatus } from './component.ts'
import { readRunFile } from './health.ts'
import { NoAnswer, onDebugServer, send } from './http.ts'
import { lastWords } from './last-words.ts'

const answerWithinMs = 1_000

export async function complaintOf(status: ComponentStatus, state: StateDir): Promise<string | undefined> {
  const { name, pid, ready, stopped, silent } = status
  if (ready || stopped || silent) return undefined
  const log = state.log(name)
  const said = existsSync(log) ? lastWords(log) : undefined
  if (said !== undefined) return said
  const debug = pid === undefined ? undefined : readRunFile(state.runFile(name), pid)?.debug
  if (debug === undefined) return undefined
  try {
    const { text } = await send({ method: 'GET', ...onDebugServer(debug, '/readyz'), timeoutMs: answerWithinMs })
    return complaintIn(text)
  } catch (error) {
    if (error instanceof NoAnswer) return undefined
    throw error
  }
}

/** The reasons in an answer of /readyz; "not yet" is none. Pure. */
function complaintIn(text: string): string | undefined {
  const reasons = [...text.matchAll(/^\[-\]\S+ failed: (.*)$/gm)].map(([, reason]) => reason ?? '')
  return reasons.find((reason) => reason !== 'not yet')
}
