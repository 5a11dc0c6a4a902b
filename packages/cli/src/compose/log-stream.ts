// The output of many containers, each line behind the name of its container, in a colour of its own.

import type { Readable } from 'node:stream'
import type { Engine } from '../docker/engine.ts'
import { demultiplex } from '../docker/stdcopy.ts'
import type { ProjectContainer } from './containers.ts'

export interface LogOptions {
  follow: boolean
  tail: string
  timestamps: boolean
  since?: string
}

const colors = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]

/** Returns when every container has ended (or at once with all there is, when not following). */
export async function followLogs(
  engine: Engine,
  containers: ProjectContainer[],
  options: LogOptions,
  prefix = true,
): Promise<void> {
  const names = containers.map(shortName)
  const width = Math.max(0, ...names.map((name) => name.length))
  await Promise.all(
    containers.map(async (container, i) => {
      const query = new URLSearchParams({
        stdout: '1',
        stderr: '1',
        tail: options.tail,
        follow: options.follow ? '1' : '0',
        timestamps: options.timestamps ? '1' : '0',
      })
      if (options.since !== undefined) query.set('since', options.since)
      const [{ body }, { Config, State }] = await Promise.all([
        engine.request('GET', `/containers/${container.id}/logs?${query}`),
        engine.json<{ Config: { Tty: boolean }; State: { ExitCode: number } }>(
          'GET',
          `/containers/${container.id}/json`,
        ),
      ])
      const before = prefix ? paint(i, `${(names[i] ?? '').padEnd(width)} | `) : ''
      await printLines(Config.Tty ? body : undefined, body, before)
      if (options.follow && State) {
        const { State: last } = await engine.json<{ State: { ExitCode: number } }>(
          'GET',
          `/containers/${container.id}/json`,
        )
        console.log(`${before}${names[i]} exited with code ${last.ExitCode}`)
      }
    }),
  )
}

async function printLines(raw: Readable | undefined, body: Readable, before: string): Promise<void> {
  const rest: Record<string, string> = { stdout: '', stderr: '' }
  const print = (stream: 'stdout' | 'stderr', text: string) => {
    const lines = (rest[stream] + text).split('\n')
    rest[stream] = lines.pop() ?? ''
    for (const line of lines) process[stream].write(`${before}${line}\n`)
  }
  if (raw) for await (const chunk of raw) print('stdout', String(chunk))
  else for await (const { stream, data } of demultiplex(body)) print(stream, data.toString())
  for (const stream of ['stdout', 'stderr'] as const)
    if (rest[stream]) process[stream].write(`${before}${rest[stream]}\n`)
}

/** "web-1" of "project-web-1"; a container with a name of its own keeps it. */
function shortName({ name, service }: ProjectContainer): string {
  const at = name.indexOf(`-${service}-`)
  return at < 0 ? name : name.slice(at + 1)
}

function paint(index: number, text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR']
    ? `\u001b[${colors[index % colors.length]}m${text}\u001b[0m`
    : text
}
