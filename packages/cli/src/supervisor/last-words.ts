// Why a component died, in its own words: the fatal line that it wrote last. Whoever watches `dinghy up` should not have
// to open a log file to learn that a port is taken or a disk is full.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const tailBytes = 16 * 1024
const fatal = 60

/** The message of the log's last line when that is a fatal one; a process that was killed has said nothing. */
export function lastWords(logPath: string): string | undefined {
  const last = tail(logPath).trimEnd().split('\n').at(-1) ?? ''
  if (!last.startsWith('{')) return undefined
  const { level, msg } = JSON.parse(last) as { level?: number; msg?: string }
  return level === fatal ? msg : undefined
}

function tail(path: string): string {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const buffer = Buffer.alloc(Math.min(size, tailBytes))
    const bytesRead = readSync(file, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    closeSync(file)
  }
}
