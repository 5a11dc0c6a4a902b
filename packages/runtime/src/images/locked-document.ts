/**
 * A small JSON document that several processes may change: read it any time, change it under a lock.
 *
 * A write replaces the file by rename, so readers see the old or the new document, never half of one. The lock is a
 * file made with O_EXCL that holds its owner's pid. An owner that died leaves the file; it is recognised by its pid,
 * or, should the number have been given to somebody else, by its age: changes take milliseconds.
 */
import { randomUUID } from 'node:crypto'
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Clock } from '@dinghy/shared/api/clock'

const RETRY_MS = 10
const STALE_AFTER_MS = 60_000

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
      return JSON.parse(await readFile(this.#path, 'utf8')) as T
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
        if (after !== before) await this.#replace(after)
        return result
      } finally {
        await unlock()
      }
    }
    const result = this.#turn.then(run, run)
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #replace(text: string): Promise<void> {
    const temporary = `${this.#path}.${randomUUID()}`
    await writeFile(temporary, text)
    await rename(temporary, this.#path)
  }

  async #lock(): Promise<() => Promise<void>> {
    const path = `${this.#path}.lock`
    for (;;) {
      try {
        const file = await open(path, 'wx')
        await file.writeFile(String(process.pid))
        await file.close()
        return () => rm(path, { force: true })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      if (await this.#isStale(path)) await removeStale(path)
      else await this.#clock.sleep(RETRY_MS)
    }
  }

  async #isStale(path: string): Promise<boolean> {
    try {
      const owner = Number(await readFile(path, 'utf8'))
      if (owner > 0 && !isAlive(owner)) return true
      return this.#clock.now() - (await stat(path)).mtimeMs > STALE_AFTER_MS
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }
}

/** Renamed before it is removed: of several processes that see the same dead lock, one wins, and takes that one only. */
async function removeStale(path: string): Promise<void> {
  const doomed = `${path}.${randomUUID()}`
  try {
    await rename(path, doomed)
    await rm(doomed, { force: true })
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
