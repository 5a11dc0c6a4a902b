/**
 * The keys that leave a terminal without ending the program on it: ctrl-p ctrl-q, or what `--detach-keys` says.
 *
 * The bytes of a begun sequence are held back, as in Docker: the program gets them with the next byte that does not
 * belong to it. Pure, but for `untilDetached`, which puts the search into a client's input.
 */
import { Transform, type Readable } from 'node:stream'
import { badParameter } from '@dinghy/shared/docker/errors'

const usualKeys = 'ctrl-p,ctrl-q'
/** What follows `ctrl-`, by its code. */
const controlKeys = '@abcdefghijklmnopqrstuvwxyz[\\]^_'

/** The bytes of `ctrl-a,x,DEL`; empty for what is usual. Throws a 400 for a key that there is not. */
export function parseDetachKeys(text = ''): Buffer {
  return Buffer.from(
    (text || usualKeys).split(',').map((key) => {
      if (key === 'DEL') return 127
      const [, control = ''] = /^ctrl-(.)$/.exec(key) ?? []
      const code = control === '' ? -1 : controlKeys.indexOf(control)
      if (code >= 0) return code
      if (key.length !== 1 || key.charCodeAt(0) > 127)
        throw badParameter(`Invalid detach keys (${text}) provided: Unknown character: '${key}'`)
      return key.charCodeAt(0)
    }),
  )
}

export class DetachSearch {
  readonly #keys: Buffer
  #matched = 0

  constructor(keys: Buffer) {
    this.#keys = keys
  }

  /** What the program gets of these bytes, and whether the sequence is complete. What comes after it is nobody's. */
  push(chunk: Buffer): { passed: Buffer; isDetached: boolean } {
    const passed: number[] = []
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        passed.push(...this.#keys.subarray(0, this.#matched))
        this.#matched = 0
      }
      if (byte === this.#keys[this.#matched]) this.#matched++
      else passed.push(byte)
      if (this.#matched === this.#keys.length) return { passed: Buffer.from(passed), isDetached: true }
    }
    return { passed: Buffer.from(passed), isDetached: false }
  }

  /** What is held back. */
  rest(): Buffer {
    return this.#keys.subarray(0, this.#matched)
  }
}

/** `input` as the program gets it. Closes with the input, and after the keys, with nothing more said. */
export function untilDetached(input: Readable, keys: Buffer, onDetach: () => void): Readable {
  const search = new DetachSearch(keys)
  const rest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const { passed, isDetached } = search.push(chunk)
      if (passed.length > 0) this.push(passed)
      if (!isDetached) return done()
      input.unpipe(this)
      input.resume()
      onDetach()
    },
    flush(done) {
      done(null, search.rest())
    },
  })
  input.once('close', () => rest.destroy())
  return input.pipe(rest)
}
