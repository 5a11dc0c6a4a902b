/**
 * Waiting for a server that is not there yet, as all processes of a cluster do while it starts. A look at it is one
 * connection without a request, which takes a tenth of the processor time of a request that fails; and all who wait
 * for the same server in this process share these looks, however many informers they are.
 */

import { setMaxListeners } from 'node:events'
import { connect, type NetConnectOpts } from 'node:net'
import type { Clock } from '../api/clock.ts'

const firstPauseMs = 15
const longestPauseMs = 500
/** Whoever waited notices the server late by a fraction of the time that it took. */
const growth = 1.1

/** Whether a request failed (`error.cause` is node's error) because nobody listens there. */
export function isNobodyThere(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as { code?: unknown }
  return code === 'ECONNREFUSED' || code === 'ENOENT'
}

interface Wait {
  waiting: number
  /** Ends the looks when nobody waits any more. */
  over: AbortController
  listening: Promise<void>
}

const waits = new Map<string, Wait>()

/** Resolves when somebody listens there. Rejects with the signal's reason. */
export async function untilListening(address: NetConnectOpts, clock: Clock, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const key = JSON.stringify(address)
  const wait = waits.get(key) ?? startWait(key, address, clock)
  wait.waiting += 1
  try {
    await Promise.race([wait.listening, rejectedBy(signal, wait.over.signal)])
  } finally {
    wait.waiting -= 1
    if (wait.waiting === 0) endWait(key, wait)
  }
}

function startWait(key: string, address: NetConnectOpts, clock: Clock): Wait {
  const over = new AbortController()
  // One for each informer that waits.
  setMaxListeners(0, over.signal)
  const wait = { waiting: 0, over, listening: look(address, clock, over.signal) }
  waits.set(key, wait)
  return wait
}

function endWait(key: string, wait: Wait): void {
  wait.over.abort()
  if (waits.get(key) === wait) waits.delete(key)
}

async function look(address: NetConnectOpts, clock: Clock, signal: AbortSignal): Promise<void> {
  for (
    let pauseMs = firstPauseMs;
    !(await isListening(address));
    pauseMs = Math.min(pauseMs * growth, longestPauseMs)
  ) {
    await clock.sleep(pauseMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    if (signal.aborted) return
  }
}

function isListening(address: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    socket.once('connect', () => resolve(true))
    socket.once('connect', () => socket.destroy())
    socket.once('error', () => resolve(false))
  })
}

/** `over`: nobody asks for the answer any more. */
function rejectedBy(signal: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true, signal: over })
  })
}
