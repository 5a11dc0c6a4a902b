/**
 * `dinghy runtime`: the container runtime alone, without a cluster, in this terminal. `dinghy registry`: our image
 * registry, so that another machine can pull what was built here. Both are processes of their own; this starts one with
 * sensible places and passes every other flag on.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { StateDir } from '../cluster/state-dir.ts'
import { componentEntry, runtimeLauncher } from '../supervisor/components.ts'
import { bold, dim } from '@dinghy/clients/command-line/colors'
import { quote } from './command.ts'
import type { Command } from '@dinghy/clients/command-line/command'

export const runtime: Command = {
  usage:
    'runtime [--socket PATH] [-H tcp://HOST:PORT --tlsverify …] [--root DIR] [--driver auto|process|linux|oci] [--network auto|bridge|loopback]',
  summary: 'run the container runtime alone, for the docker CLI',
  passThrough: true,
  async run(_flags, given) {
    const words = given.map(longHostFlag)
    const home = StateDir.of('runtime-alone', undefined)
    const host = valueOf(words, 'host')
    // As with dockerd, whoever names a host gets that one and not the usual socket besides.
    const socket = valueOf(words, 'socket') ?? (host === undefined ? home.dockerSocket : undefined)
    const root = valueOf(words, 'root') ?? home.runtimeRoot
    if (!words.includes('--help')) {
      mkdirSync(home.root, { recursive: true, mode: 0o700 })
      console.log(`${bold('dinghy runtime')} ${dim(`in ${root}; Ctrl-C stops it, containers go on`)}\n`)
      console.log(
        `  export DOCKER_HOST=${quote(socket === undefined ? host! : `unix://${socket}`)} DOCKER_BUILDKIT=0\n`,
      )
    }
    const launcher = words.includes('--help') ? [] : runtimeLauncher(root, valueOf(words, 'driver') ?? 'auto')
    const complete = withDefault(words, 'root', root)
    return inForeground('runtime', socket === undefined ? complete : withDefault(complete, 'socket', socket), launcher)
  },
}

/** dockerd's short form of --host; short flags are not ours otherwise. */
function longHostFlag(word: string): string {
  return word === '-H' ? '--host' : word.replace(/^-H=?(?=.)/, '--host=')
}

export const registry: Command = {
  usage: 'registry [--listen HOST:PORT] [--root DIR] [--username NAME --password WORD]',
  summary: 'run an image registry (plain HTTP, 127.0.0.1:5000)',
  passThrough: true,
  async run(_flags, words) {
    const root = valueOf(words, 'root') ?? join(StateDir.of('registry', undefined).root, 'images')
    if (!words.includes('--help')) {
      const listen = valueOf(words, 'listen') ?? '127.0.0.1:5000'
      console.log(
        `${bold('dinghy registry')} ${dim(`in ${root}`)}\n\n  docker tag NAME ${listen}/NAME && docker push ${listen}/NAME\n`,
      )
    }
    return inForeground('registry', withDefault(words, 'root', root))
  },
}

async function inForeground(component: string, args: string[], launcher: string[] = []): Promise<number> {
  const [program = '', ...rest] = [...launcher, process.execPath, componentEntry(component), ...args]
  const child = spawn(program, rest, { stdio: 'inherit' })
  // The terminal sends Ctrl-C to both; the child's own end is the answer.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

function valueOf(words: string[], flag: string): string | undefined {
  const inline = words.find((word) => word.startsWith(`--${flag}=`))
  if (inline) return inline.slice(flag.length + 3)
  const at = words.indexOf(`--${flag}`)
  return at < 0 ? undefined : words[at + 1]
}

function withDefault(words: string[], flag: string, value: string): string[] {
  return valueOf(words, flag) === undefined ? [...words, `--${flag}`, value] : words
}
