/** Counts bytes and reports how many there were, not more often than anyone can read; also as a stream's step. */
import { Transform } from 'node:stream'

const reportBytes = 512 * 1024

export class ProgressMeter extends Transform {
  readonly #total: number
  readonly #report: (current: number) => void
  #current: number
  #reported: number

  constructor(offset: number, total: number, report: (current: number) => void) {
    super()
    this.#current = offset
    this.#reported = offset
    this.#total = total
    this.#report = report
  }

  /** Throws when there is more than there should be. */
  count(bytes: number): void {
    this.#current += bytes
    if (this.#current > this.#total) throw new Error(`content is larger than the ${this.#total} bytes it should have`)
    if (this.#current - this.#reported < reportBytes && this.#current !== this.#total) return
    this.#reported = this.#current
    this.#report(this.#current)
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error | null, data?: Buffer) => void): void {
    try {
      this.count(chunk.length)
    } catch (error) {
      done(error as Error)
      return
    }
    done(null, chunk)
  }
}
