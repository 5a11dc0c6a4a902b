/**
 * A small JSON document that several processes may change: read it any time, change it under a lock.
 *
 * A write replaces the file by rename, so readers see the old or the new document, never half of one. The lock is a
 * file made with O_EXCL that holds its owner's pid. An owner that died leaves the file; it is recognised by its pid,
 * or, should the number have been given to somebody else, by its age: changes take milliseconds.
 *
 * Reading and writing are synchronous, because each step of node:fs/promises is a trip through the thread pool: for a
 * file of some kilobytes that takes ten times as long as the work.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'

const retryMs = 10
const staleAfterMs = 60_000

export class LockedDocument<T> {
  readonly #path: string
  readonly #empty: () => T
  readonly #clock: Clock
  /** Waits in this process queue here; the lock file is for other processes. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(path: string, empty: () => T, clock: Clock) {
    this.#path = path
    this.#empty = empty
    this.#clock = clock
  }

  async read(): Promise<T> {
    try {
      return JSON.parse(readFileSync(this.#path, 'utf8')) as T
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return this.#empty()
      throw error
    }
  }

  /** Runs `change` on the newest document, alone among all processes, and writes what it left. */
  update<R>(change: (document: T) => R | Promise<R>): Promise<R> {
    const run = async (): Promise<R> => {
      const unlock = await this.#lock()
      try {
        const document = await this.read()
        const before = JSON.stringify(document)
        const result = await change(document)
        const after = JSON.stringify(document)
        if (after !== before) this.#replace(after)
        return result
      } finally {
        unlock()
      }
    }
    const result = this.#turn.then(run, run)
    // The caller hears of a failure; the next in line starts all the same.
    this.#turn = result.catch(() => undefined)
    return result
  }

  #replace(text: string): void {
    const temporary = `${this.#path}.${randomUUID()}`
    writeFileSync(temporary, text)
    renameSync(temporary, this.#path)
  }

  async #lock(): Promise<() => void> {
    const path = `${this.#path}.lock`
    for (;;) {
      try {
        writeFileSync(path, String(process.pid), { flag: 'wx' })
        return () => rmSync(path, { force: true })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      if (this.#isStale(path)) removeStale(path)
      else await this.#clock.sleep(retryMs)
    }
  }

  #isStale(path: string): boolean {
    try {
      const owner = Number(readFileSync(path, 'utf8'))
      if (owner > 0 && !isAlive(owner)) return true
      return this.#clock.now() - statSync(path).mtimeMs > staleAfterMs
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }
}

/**
 * Renamed before it is removed: of several processes that see the same dead lock, one wins, and takes that one only.
 */
function removeStale(path: string): void {
  const doomed = `${path}.${randomUUID()}`
  try {
    renameSync(path, doomed)
    rmSync(doomed, { force: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
