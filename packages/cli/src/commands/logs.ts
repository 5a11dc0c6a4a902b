/**
 * `dinghy logs [COMPONENT]`: what the cluster's own processes say, from their log files, in a form for people.
 * Lines are pino's JSON; those that are not (a crash before the logger was up) are shown as they are.
 */

import { existsSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { systemClock } from '@dinghy/shared/api/clock'
import { bold, dim, red, yellow } from '@dinghy/clients/command-line/colors'
import { logRecord } from '../supervisor/log-record.ts'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'

const pollMs = 200

interface LogsOptions extends ClusterOptions {
  follow?: boolean
  raw?: boolean
}

export function logs(): Command {
  return clusterCommand('logs', ['dinghy logs scheduler -f'])
    .description("What one of the cluster's own processes says, or all of them. (`kubectl logs` has those of pods.)")
    .argument('[component]', 'a process of `dinghy status`, or supervisor')
    .option('-f, --follow', 'go on as the log grows; Ctrl-C ends it')
    .option('--raw', 'the lines as they are: JSON')
    .action(exitWith(run))
}

async function run(options: LogsOptions, component?: string): Promise<number> {
  const state = stateOf(options)
  const directory = dirname(state.log('any'))
  const files = existsSync(directory) ? readdirSync(directory).filter((file) => file.endsWith('.log')) : []
  const known = files.map((file) => file.replace(/\.log$/, ''))
  const chosen = component === undefined ? known : known.filter((name) => name === component)
  if (known.length === 0) throw new UsageError(`there is no cluster in ${state.root}, so there are no logs`)
  if (chosen.length === 0)
    throw new UsageError(`no log of "${component ?? 'anything'}"; there are: ${known.join(', ')}`)
  const width = Math.max(...chosen.map((name) => name.length))
  const print = (name: string) => (line: string) => {
    console.log(options.raw ? line : `${bold(name.padEnd(width))} ${readable(line)}`)
  }
  const end = new AbortController()
  process.once('SIGINT', () => end.abort())
  await Promise.all(
    chosen.map(async (name) => {
      // What the log was cut of when it grew too long.
      const older = `${state.log(name)}.1`
      if (existsSync(older)) await tail(older, print(name), false, end.signal)
      await tail(state.log(name), print(name), options.follow ?? false, end.signal)
    }),
  )
  return 0
}

async function tail(path: string, print: (line: string) => void, follow: boolean, signal: AbortSignal): Promise<void> {
  await using file = await openForReading(path)
  const buffer = Buffer.alloc(64 * 1024)
  let position = 0
  let rest = ''
  while (!signal.aborted) {
    const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, position)
    position += bytesRead
    if (bytesRead === 0) {
      if (!follow) break
      // Shorter than what we have read: it was cut, and begins anew.
      if ((await file.handle.stat()).size < position) position = 0
      else await systemClock.sleep(pollMs, signal).catch(ignoreAbort)
      continue
    }
    const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(print)
  }
  if (rest) print(rest)
}

function ignoreAbort(error: Error): void {
  if (error.name !== 'AbortError') throw error
}

async function openForReading(path: string) {
  const handle = await open(path)
  return { handle, [Symbol.asyncDispose]: () => handle.close() }
}

const levels: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: yellow('warn'),
  50: red('error'),
  60: red('fatal'),
}

/** One line of a component's log for people: time, level, message, then the remaining fields. */
export function readable(line: string): string {
  const record = logRecord(line)
  if (!record) return line
  const { level, time, msg, pid: _pid, hostname: _hostname, name: _name, ...rest } = record
  const at = new Date(time as number | string).toISOString().slice(11, 23)
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return [dim(at), levels[level as number] ?? String(level), String(msg ?? ''), dim(fields.join(' '))]
    .join(' ')
    .trimEnd()
}
