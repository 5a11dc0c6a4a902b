/**
 * Logger: pino, one JSON object a line on stdout.
 *
 * Callers may rely on: a line is written whole and at once, so nothing is lost when the process dies; a full disk or a
 * reader that has gone loses lines, not the process; an Error under `err` keeps its message, code, stack and cause; the
 * time is the injected clock's.
 */

import { writeSync } from 'node:fs'
import { pino, stdSerializers } from 'pino'
import type { Clock } from '../api/clock.ts'

export const levels = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const
export type Level = keyof typeof levels

export function isLevel(text: string): text is Level {
  return Object.hasOwn(levels, text)
}

/** Fields first, then the message; or a message alone. */
export interface LogFunction {
  (message: string): void
  (fields: object, message?: string): void
}

/** The part of pino's interface that the house uses. */
export interface Logger extends Record<Level, LogFunction> {
  readonly level: string
  /** A logger that adds these fields to every line. */
  child(fields: object): Logger
}

export interface LoggerOptions {
  name: string
  level?: Level
  clock: Pick<Clock, 'now'>
  write?: (line: string) => void
}

export function createLogger({
  name,
  level = 'info',
  clock,
  write = (line) => writeLine(1, line),
}: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid, name },
      timestamp: () => `,"time":${clock.now()}`,
      serializers: { err: stdSerializers.errWithCause },
    },
    { write },
  )
}

/** Straight to the file descriptor: process.stdout would queue lines behind a slow pipe and lose them in a crash. */
export function writeLine(fd: number, line: string): void {
  let rest = Buffer.from(line)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // The reader of our log has gone, or the disk is full: that is no reason to stop working.
      if (code === 'EPIPE' || code === 'ENOSPC' || code === 'EDQUOT') return
      if (code !== 'EAGAIN') throw error
      // A full pipe: give its reader a millisecond.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}
