/**
 * Exit codes and signals as numbers, as a shell and Docker tell them.
 */

import { constants } from 'node:os'

/** A shell's way to say both how a process exited and which signal ended it. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

/** "SIGTERM", "term" or "15" as a number; undefined for what is no signal. */
export function signalNumber(name: string): number | undefined {
  if (/^\d+$/.test(name)) {
    const number = Number(name)
    return number >= 1 && number <= 64 ? number : undefined
  }
  const full = `SIG${name.toUpperCase().replace(/^SIG/, '')}`
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(full)
  if (realTime !== null) {
    const base = realTime[1] === 'MIN' ? 34 : 64
    return base + (realTime[2] === '-' ? -1 : 1) * Number(realTime[3] ?? 0)
  }
  return (constants.signals as Record<string, number>)[full]
}
