/**
 * Logger: one JSON object a line on stdout, in pino's format, so that pino's tools and `dinghy logs` read it.
 *
 * Callers may rely on: a line is written whole and at once, so nothing is lost when the process dies; an Error under
 * `err` keeps its message, stack and cause; a level that is switched off costs one comparison. It is not pino itself
 * because loading that takes 25 ms, which each of a cluster's processes would pay at start-up.
 */

import { writeSync } from 'node:fs'
import type { Clock } from '../api/clock.ts'

export const levels = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const
export type Level = keyof typeof levels

export function isLevel(text: string): text is Level {
  return Object.hasOwn(levels, text)
}

/** As in pino: fields first, then the message; or a message alone. */
export interface LogFunction {
  (message: string): void
  (fields: object, message?: string): void
}

export interface Logger extends Record<Level, LogFunction> {
  readonly level: Level
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
  return withFields({ pid: process.pid, name }, level, clock, write)
}

function withFields(bound: object, level: Level, clock: Pick<Clock, 'now'>, write: (line: string) => void): Logger {
  const at = (name: Level): LogFunction => {
    if (levels[name] < levels[level]) return () => undefined
    return (fields: object | string, message?: string) => {
      const own = typeof fields === 'string' ? {} : fields instanceof Error ? { err: fields } : fields
      const msg =
        typeof fields === 'string' ? fields : (message ?? (fields instanceof Error ? fields.message : undefined))
      write(encode({ level: levels[name], time: clock.now(), ...bound, ...own, msg }))
    }
  }
  return {
    level,
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (fields) => withFields({ ...bound, ...fields }, level, clock, write),
  }
}

function encode(record: object): string {
  return `${JSON.stringify(record, (_key, value: unknown) => (value instanceof Error ? describe(value) : typeof value === 'bigint' ? String(value) : value))}\n`
}

function describe(error: Error): object {
  const { code } = error as { code?: unknown }
  const { name: type, message, stack, cause } = error
  return { type, message, ...(code !== undefined ? { code } : {}), stack, ...(cause !== undefined ? { cause } : {}) }
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
      Atomics.wait(pause, 0, 0, 1) // a full pipe: give its reader a millisecond
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4))
