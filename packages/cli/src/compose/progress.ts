// What a person sees of a longer command: a line for each thing as its state changes, on stderr so that stdout stays
// the command's own.

import { dim, green } from '../supervisor/colors.ts'

const startedAt = new Map<string, number>()

/** "Container p-web-1  Creating", then "… Created  0.1s" when the work is done. */
export async function step<T>(what: string, doing: string, done: string, work: () => Promise<T>): Promise<T> {
  startedAt.set(what, performance.now())
  console.error(` ${dim('\u2022')} ${what.padEnd(36)} ${dim(doing)}`)
  const result = await work()
  report(what, done)
  return result
}

export function report(what: string, state: string): void {
  const seconds = (performance.now() - (startedAt.get(what) ?? performance.now())) / 1000
  console.error(` ${green('\u2714')} ${what.padEnd(36)} ${state.padEnd(12)} ${dim(`${seconds.toFixed(1)}s`)}`)
}
