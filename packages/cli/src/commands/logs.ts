/**
 * `dinghy logs [COMPONENT]`: what the cluster's own processes say, from their log files, in a form for people.
 * Lines are pino's JSON; those that are not (a crash before the logger was up) are shown as they are.
 */

import { existsSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemClock } from '@dinghy/shared/api/clock'
import { bold, dim, red, yellow } from '@dinghy/clients/command-line/colors'
import { logRecord } from '../supervisor/log-record.ts'
import { clusterFlags, stateOf } from './command.ts'
import { type Command, UsageError } from '@dinghy/clients/command-line/command'

const pollMs = 200

export const logs: Command = {
  usage: 'logs [COMPONENT] [-f] [--raw] [--cluster NAME] [--state-dir DIR]',
  summary: "the log of one of the cluster's processes, or of all",
  flags: { ...clusterFlags, follow: { type: 'boolean', short: 'f' }, raw: { type: 'boolean' } },
  words: 1,
  async run(flags, [component]) {
    const state = stateOf(flags)
    const directory = dirname(state.log('any'))
    const known = existsSync(directory) ? readdirSync(directory).map((file) => file.replace(/\.log$/, '')) : []
    const chosen = component === undefined ? known : known.filter((name) => name === component)
    if (known.length === 0) throw new UsageError(`there is no cluster in ${state.root}, so there are no logs`)
    if (chosen.length === 0)
      throw new UsageError(`no log of "${component ?? 'anything'}"; there are: ${known.join(', ')}`)
    const width = Math.max(...chosen.map((name) => name.length))
    const print = (name: string) => (line: string) => {
      console.log(flags['raw'] ? line : `${bold(name.padEnd(width))} ${readable(line)}`)
    }
    const end = new AbortController()
    process.on('SIGINT', () => end.abort())
    await Promise.all(chosen.map((name) => tail(state.log(name), print(name), Boolean(flags['follow']), end.signal)))
    return 0
  },
}

async function tail(path: string, print: (line: string) => void, follow: boolean, signal: AbortSignal): Promise<void> {
  await using file = await openForReading(path)
  const buffer = Buffer.alloc(64 * 1024)
  let rest = ''
  while (!signal.aborted) {
    const { bytesRead } = await file.handle.read(buffer)
    if (bytesRead === 0) {
      if (!follow) break
      await systemClock.sleep(pollMs, signal).catch(() => undefined)
      continue
    }
    const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(print)
  }
  if (rest) print(rest)
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
