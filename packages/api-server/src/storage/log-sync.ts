/**
 * Forces SQLite's write-ahead log to the disk beside the event loop. With synchronous=FULL SQLite would do it within
 * COMMIT, and everybody would wait for the disk, those too who only read.
 *
 * With synchronous=NORMAL SQLite forces the log to the disk before it copies it into the database, and at no other
 * time. What a COMMIT has put there is durable as soon as a sync() that began after it has resolved.
 */

import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs'

/** Node's fdatasync, or what tests put in the place of a disk. */
export type ForceToDisk = (file: number, done: (error: Error | null) => void) => void

export class LogSync {
  readonly #path: string
  readonly #force: ForceToDisk
  #file: number | undefined
  #isBusy = false
  #isClosed = false

  constructor(databasePath: string, force: ForceToDisk = fdatasync) {
    this.#path = `${databasePath}-wal`
    this.#force = force
  }

  /** Rejects when the disk fails: from then on nobody knows what is on it. One at a time. */
  sync(): Promise<void> {
    const file = this.#opened()
    this.#isBusy = true
    return new Promise((resolve, reject) => {
      this.#force(file, (error) => {
        this.#isBusy = false
        if (this.#isClosed) closeSync(file)
        if (error) reject(error)
        else resolve()
      })
    })
  }

  /** The same while everybody waits, for the end of the process. */
  syncNow(): void {
    fdatasyncSync(this.#opened())
  }

  close(): void {
    this.#isClosed = true
    // Node may be at it in another thread, which must not find another file under this number.
    if (this.#file !== undefined && !this.#isBusy) closeSync(this.#file)
  }

  /** SQLite makes the log with its first write, and keeps the same file until it closes the database. */
  #opened(): number {
    return (this.#file ??= openSync(this.#path, 'r'))
  }
}
