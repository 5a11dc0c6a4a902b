/**
 * The operating system's side of a component: one child process, its output in its log file.
 *
 * The child's stdin is a pipe that only this process holds: should the supervisor be killed, the child reads
 * end-of-file and stops by itself, so no component outlives its supervisor. Containers do: they are nobody's child
 * here.
 */

import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { withLateAuthorities } from '@dinghy/shared/http/extra-authorities'
import type { ComponentSpec } from './components.ts'
import { snapshotFlags } from './snapshot.ts'

export interface RunningProcess {
  readonly pid: number | undefined
  readonly exited: Promise<unknown>
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}

export type StartProcess = typeof startProcess

export function startProcess(spec: ComponentSpec, paths: { log: string; runFile: string }): RunningProcess {
  rmSync(paths.runFile, { force: true })
  const log = openSync(paths.log, 'a', 0o600)
  const [entry = ''] = spec.args
  const [program = '', ...args] = [
    ...(spec.launcher ?? []),
    process.execPath,
    ...trustFlags(spec.kind),
    ...snapshotFlags(entry),
    ...spec.args,
  ]
  // Not a process group of its own would mean that Ctrl-C in the terminal hits every component at once, before the
  // supervisor can stop them in order.
  const child = spawn(program, args, {
    stdio: ['pipe', log, log],
    detached: true,
    env: { ...withLateAuthorities(process.env), ...trustVariables(spec.kind) },
  })
  closeSync(log)
  child.stdin?.on('error', ignoreBrokenPipe)
  return { pid: child.pid, exited: once(child, 'exit'), kill: (signal) => void child.kill(signal) }
}

/** Who may meet servers that a public authority vouches for: webhooks by URL, registries. */
const meetPublicServers = new Set(['api-server', 'runtime'])

/**
 * At the first certificate that it is to believe, Node 20 reads its 150 public ones, too: 20 ms of processor time. The
 * other components believe the cluster's authority alone, so for them the public ones are OpenSSL's, of an empty file.
 */
function trustFlags(kind: string): string[] {
  // Node refuses two opinions on that.
  return meetPublicServers.has(kind) || process.env['NODE_OPTIONS'] ? [] : ['--use-openssl-ca']
}

function trustVariables(kind: string): NodeJS.ProcessEnv {
  return meetPublicServers.has(kind) ? {} : { SSL_CERT_FILE: '/dev/null', SSL_CERT_DIR: '/dev/null' }
}

// A child that dies between our deciding to write and its reading leaves EPIPE behind; its exit is handled anyway.
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error
}
