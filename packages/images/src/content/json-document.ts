/**
 * A small JSON document: read it any time, change it one change after the other.
 *
 * A write replaces the file by rename, so readers see the old or the new document, never half of one. No other process
 * writes it: a runtime's root has one owner (root-lock.ts of the runtime).
 *
 * Reading and writing are synchronous, because each step of node:fs/promises is a trip through the thread pool: for a
 * file of some kilobytes that takes ten times as long as the work.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export class JsonDocument<T> {
  readonly #path: string
  readonly #empty: () => T
  /** Changes wait here for those before them. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(path: string, empty: () => T) {
    this.#path = path
    this.#empty = empty
  }

  async read(): Promise<T> {
    try {
      return JSON.parse(readFileSync(this.#path, 'utf8')) as T
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return this.#empty()
      throw error
    }
  }

  /** Runs `change` on the newest document, alone, and writes what it left. */
  update<R>(change: (document: T) => R | Promise<R>): Promise<R> {
    const result = this.#turn.then(() => this.#change(change))
    // Whoever asked for a change is told of its failure; those that come after it are not.
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }

  async #change<R>(change: (document: T) => R | Promise<R>): Promise<R> {
    const document = await this.read()
    const before = JSON.stringify(document)
    const result = await change(document)
    const after = JSON.stringify(document)
    if (after !== before) this.#replace(after)
    return result
  }

  #replace(text: string): void {
    const temporary = `${this.#path}.${randomUUID()}`
    writeFileSync(temporary, text)
    renameSync(temporary, this.#path)
  }
}
