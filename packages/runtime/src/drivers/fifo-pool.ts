/**
 * FIFOs made in advance. Node cannot make one, and a `mkfifo` process would be on the way of every start; so one
 * process makes many, and a start moves four into place.
 *
 * What it saves: starts with and without it, in turn, sixty each on a busy machine, took 28.8 and 31.3 ms (the tenth
 * percentile of create, start and exit of `true`); without spare shells (spare-shell.ts) 32.6 ms, and with neither
 * those nor the overlap that launch() of shim.ts makes 35.6 ms.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { serverError } from '@dinghy/shared/docker/errors'
import { toolEnvironment } from '../tool-environment.ts'

const batch = 64
const low = 16

export class FifoPool {
  readonly #directory: string
  #free: string[] = []
  #filling: Promise<void> | undefined
  #next = 0
  /** The last attempt to make more, which nobody waited for. */
  #hasFailed = false

  /** On the file system of those who take from it, so that moving is renaming. */
  constructor(directory: string) {
    this.#directory = directory
    mkdirSync(directory, { recursive: true })
    this.#free = readdirSync(directory)
    this.#next = Math.max(-1, ...this.#free.map(Number)) + 1
  }

  /** Puts a FIFO that everybody may open at each of the paths. */
  async take(paths: string[]): Promise<void> {
    // What went wrong in the background may go wrong again: then it is this one's error, and said, before the pool is
    // empty.
    while (this.#hasFailed || this.#free.length < paths.length) await this.#fill()
    for (const path of paths) renameSync(join(this.#directory, this.#free.pop() ?? ''), path)
    if (this.#free.length < low) this.#fill().catch(() => (this.#hasFailed = true))
  }

  #fill(): Promise<void> {
    this.#filling ??= this.#make().finally(() => (this.#filling = undefined))
    return this.#filling
  }

  async #make(): Promise<void> {
    const names = Array.from({ length: batch }, () => String(this.#next++))
    const child = spawn('mkfifo', ['-m', '666', ...names.map((name) => join(this.#directory, name))], {
      env: toolEnvironment,
      stdio: 'ignore',
    })
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw serverError(`cannot make FIFOs in ${this.#directory}: mkfifo exited with ${code}`)
    this.#free.push(...names)
    this.#hasFailed = false
  }
}
