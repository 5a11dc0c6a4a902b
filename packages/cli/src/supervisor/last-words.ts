/**
 * Why a component died, in its own words: the fatal line that it wrote last. Whoever watches `dinghy up` should not have
 * to open a log file to learn that a port is taken or a disk is full.
 */

import { logRecord } from './log-record.ts'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const tailBytes = 16 * 1024
const fatal = 60

/** The message of the log's last line when that is a fatal one; a process that was killed has said nothing. */
export function lastWords(logPath: string): string | undefined {
  const last = tail(logPath).trimEnd().split('\n').at(-1) ?? ''
  const { level, msg } = logRecord(last) ?? {}
  return level === fatal ? String(msg) : undefined
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
