/** Passes bytes through and reports how many there were, not more often than anyone can read. */
import { Transform } from 'node:stream'

const REPORT_BYTES = 512 * 1024

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

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error | null, data?: Buffer) => void): void {
    this.#current += chunk.length
    if (this.#current > this.#total) {
      done(new Error(`content is larger than the ${this.#total} bytes it should have`))
      return
    }
    if (this.#current - this.#reported >= REPORT_BYTES || this.#current === this.#total) {
      this.#reported = this.#current
      this.#report(this.#current)
    }
    done(null, chunk)
  }
}
