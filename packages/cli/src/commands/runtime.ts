/**
 * `dinghy runtime`: the container runtime alone, without a cluster, in this terminal. `dinghy registry`: our image
 * registry, so that another machine can pull what was built here. Both are processes of their own; this starts one with
 * sensible places and passes every other flag on.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { exitWith, plainCommand, quote } from '@dinghy/clients/command-line/command'
import { StateDir } from '../cluster/state-dir.ts'
import { componentEntry, runtimeLauncher } from '../supervisor/launchers.ts'
import { bold, dim } from '@dinghy/clients/command-line/colors'

export function runtime(): Command {
  return forwarding('runtime', ['dinghy runtime', 'dinghy runtime --driver process --network loopback'])
    .description('Run the container runtime alone, without a cluster, in this terminal. Ctrl-C stops it.')
    .option('--root <dir>', 'for images, containers and volumes (default: ~/.local/state/dinghy/runtime-alone/runtime)')
    .option('--socket <path>', 'where to serve the Docker Engine API (default: docker.sock beside it)')
    .option('-H, --host <address>', 'serve it on unix:///PATH or, with --tlsverify, tcp://HOST:PORT instead')
    .option('--tlsverify', 'serve TCP with TLS, to clients with a certificate of --tlscacert')
    .option('--tlscacert <file>', 'who signs the certificates of clients (default: ~/.docker/ca.pem)')
    .option('--tlscert <file>', "the server's certificate (default: ~/.docker/cert.pem)")
    .option('--tlskey <file>', 'its key (default: ~/.docker/key.pem)')
    .option('--driver <driver>', 'how containers run: auto, linux, process or oci (default: auto)')
    .option('--oci-runtime <program>', 'what the oci driver runs them with, such as runc or a path')
    .option('--network <kind>', 'what Docker networks are made of: auto, bridge or loopback (default: auto)')
    .option('--log-level <level>', 'least important lines to log (default: $LOG_LEVEL, info)')
    .action(forward(runRuntime))
}

async function runRuntime(given: string[]): Promise<number> {
  const words = given.map(longHostFlag)
  const home = StateDir.of('runtime-alone', undefined)
  const host = valueOf(words, 'host')
  // As with dockerd, whoever names a host gets that one and not the usual socket besides.
  const socket = valueOf(words, 'socket') ?? (host === undefined ? home.dockerSocket : undefined)
  const root = valueOf(words, 'root') ?? home.runtimeRoot
  mkdirSync(home.root, { recursive: true, mode: 0o700 })
  console.log(`${bold('dinghy runtime')} ${dim(`in ${root}; Ctrl-C stops it, containers go on`)}\n`)
  console.log(
    `  export DOCKER_HOST=${quote(socket === undefined ? (host ?? '') : `unix://${socket}`)} DOCKER_BUILDKIT=0\n`,
  )
  const launcher = runtimeLauncher(root, valueOf(words, 'driver') ?? 'auto')
  const complete = withDefault(words, 'root', root)
  return inForeground('runtime', socket === undefined ? complete : withDefault(complete, 'socket', socket), launcher)
}

/** dockerd's short form of --host; short flags are not ours otherwise. */
function longHostFlag(word: string): string {
  return word === '-H' ? '--host' : word.replace(/^-H=?(?=.)/, '--host=')
}

export function registry(): Command {
  return forwarding('registry', ['dinghy registry', 'dinghy registry --listen 127.0.0.1:5001'])
    .description('Run an image registry, so that another machine can pull what was built here. Ctrl-C stops it.')
    .option('--listen <host:port>', 'where to serve it (default: 127.0.0.1:5000)')
    .option('--root <dir>', 'for its images (default: ~/.local/state/dinghy/registry/images)')
    .option('--username <name>', 'who may push and pull; everybody without it')
    .option('--password <word>', 'by this password')
    .option('--log-level <level>', 'least important lines to log (default: $LOG_LEVEL, info)')
    .action(forward(runRegistry))
}

async function runRegistry(words: string[]): Promise<number> {
  const root = valueOf(words, 'root') ?? join(StateDir.of('registry', undefined).root, 'images')
  const listen = valueOf(words, 'listen') ?? '127.0.0.1:5000'
  console.log(
    `${bold('dinghy registry')} ${dim(`in ${root}`)}\n\n  docker tag NAME ${listen}/NAME && docker push ${listen}/NAME\n`,
  )
  return inForeground('registry', withDefault(words, 'root', root))
}

/** A process that has flags of its own: those of everyday use are named, all of them are passed on as they stand. */
function forwarding(name: string, examples: string[]): Command {
  return plainCommand(name, examples).allowUnknownOption().argument('[words...]').usage('[options]')
}

function forward(run: (words: string[]) => Promise<number>) {
  // All that stands behind the command's name, whether commander knows it or not.
  return exitWith(() => run(process.argv.slice(3)))
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
