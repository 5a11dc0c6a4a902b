/**
 * An api-server of its own for end-to-end tests: the built process on a database, on plain HTTP, without the rest of a
 * cluster.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, until } from './cluster.ts'

const main = join(root, 'packages/api-server/dist/bundle/main.js')

export class ApiServerProcess {
  readonly #database: string
  readonly #runFile: string
  readonly #flags: string[]
  #child: ChildProcess | undefined
  #url = ''

  constructor(database: string, ...flags: string[]) {
    this.#database = database
    this.#flags = flags
    this.#runFile = `${database}.run.json`
  }

  /** Where the process listens that runs now. */
  get url(): string {
    return this.#url
  }

  /** Resolves when it serves; rejects when it ends before that. */
  async start(): Promise<void> {
    const flags = ['--database', this.#database, '--listen', '127.0.0.1:0', '--run-file', this.#runFile]
    const child = spawn(process.execPath, [main, ...flags, '--log-level', 'fatal', ...this.#flags], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    this.#child = child
    this.#url = await until('the api-server, or its end', () => {
      if (child.exitCode !== null) return 'ended'
      if (!existsSync(this.#runFile)) return undefined
      const run = JSON.parse(readFileSync(this.#runFile, 'utf8')) as { pid: number; server?: string }
      return run.pid === child.pid ? run.server : undefined
    })
    if (this.#url === 'ended') throw new Error(`the api-server ended with ${child.exitCode}`)
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
}
