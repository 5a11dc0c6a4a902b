/**
 * What a person sees of a longer command: a line for each thing as its state changes, on stderr so that stdout stays
 * the command's own.
 */

import { dim, green, red } from '@dinghy/clients/command-line/colors'

/** "Container p-web-1  Creating", then "… Created  0.1s" when the work is done. */
export async function step<T>(what: string, doing: string, done: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  console.error(` ${dim('\u2022')} ${what.padEnd(36)} ${dim(doing)}`)
  try {
    const result = await work()
    console.error(line(green('\u2714'), what, done, startedAt))
    return result
  } catch (error) {
    console.error(line(red('\u2718'), what, 'Error', startedAt))
    throw error
  }
}

export function report(what: string, state: string): void {
  console.error(` ${green('\u2714')} ${what.padEnd(36)} ${state}`)
}

function line(sign: string, what: string, state: string, startedAt: number): string {
  const seconds = (performance.now() - startedAt) / 1000
  return ` ${sign} ${what.padEnd(36)} ${state.padEnd(12)} ${dim(`${seconds.toFixed(1)}s`)}`
}
