/**
 * Why a component died, in its own words: the fatal line that it wrote last. Whoever watches `dinghy up` should not
 * have to open a log file to learn that a port is taken or a disk is full.
 */

import { logRecord } from './log-record.ts'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const tailBytes = 16 * 1024
const fatal = 60

/**
 * The message of the log's last line when that is a fatal one, or of an error that ended the process before it had a
 * logger; a process that was killed has said nothing.
 */
export function lastWords(logPath: string): string | undefined {
  return lastWordsIn(tail(logPath))
}

/** Pure. */
export function lastWordsIn(log: string): string | undefined {
  const lines = log.trimEnd().split('\n')
  const { level, msg } = logRecord(lines.at(-1) ?? '') ?? {}
  if (level === fatal) return String(msg)
  // Behind the last line of the logger: what node printed, a stack below the error's own words.
  const printed = lines.slice(lines.findLastIndex((line) => line.startsWith('{')) + 1)
  return printed.findLast((line) => /^\w*Error\b.*: /.test(line))
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
