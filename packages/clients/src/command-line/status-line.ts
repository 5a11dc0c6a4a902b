/**
 * What a command is waiting for, in one line: on a terminal the line is redrawn and goes when the wait is over; into a
 * file or a pipe it is printed when it has changed, and not for waits that are short.
 */

import type { Clock } from '@dinghy/shared/api/clock'

export interface Output {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

const redrawMs = 200
const firstLineAfterMs = 2_000

/** Shows what `describe` says (undefined: nothing) until the work is done, and gives its result. */
export async function showWhile<T>(
  work: Promise<T>,
  describe: () => Promise<string | undefined> | string | undefined,
  { clock, output = process.stderr }: { clock: Clock; output?: Output },
): Promise<T> {
  const done = new AbortController()
  const showing = show(describe, clock, output, done.signal)
  try {
    return await work
  } finally {
    done.abort()
    await showing
  }
}

async function show(
  describe: () => Promise<string | undefined> | string | undefined,
  clock: Clock,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  let shown: string | undefined
  try {
    for (;;) {
      await clock.sleep(output.isTTY ? redrawMs : firstLineAfterMs, signal)
      const text = await describe()
      if (signal.aborted) break
      if (text === undefined || (text === shown && !output.isTTY)) continue
      output.write(output.isTTY ? `\r\u001b[K${cut(text, output.columns ?? 80)}` : `${text}\n`)
      shown = text
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  if (output.isTTY && shown !== undefined) output.write('\r\u001b[K')
}

/** A line that is longer than the terminal could not be redrawn. */
export function cut(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, columns - 2)}\u2026`
}

/** "a, b and 3 more": names that people read while they wait. */
export function some(names: string[], most = 3): string {
  if (names.length <= most) return names.join(', ')
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`
}
