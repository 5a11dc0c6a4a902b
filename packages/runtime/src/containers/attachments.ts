/**
 * Who is attached to a container: a meeting place that exists before the container runs and between its runs.
 *
 * `docker run` attaches first and starts then, so output listeners may wait here for a run, and so may input: bytes
 * and their end can arrive before there is anything to take them.
 */
import { EventEmitter } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { OutputListener } from './stdio.ts'

export class Attachments {
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  readonly #waitingInputs = new Set<Readable>()
  #stdin: { stream: Writable; close: () => void; once: boolean } | undefined

  /** Output from now on. `onEnd` is called when the run ends; the signal unsubscribes. */
  subscribe(listener: OutputListener, onEnd: () => void, signal: AbortSignal): void {
    this.#emitter.on('data', listener)
    this.#emitter.once('end', onEnd)
    const stop = () => {
      this.#emitter.off('data', listener)
      this.#emitter.off('end', onEnd)
    }
    signal.addEventListener('abort', stop, { once: true })
  }

  /** Feeds the container's stdin, now or as soon as it has one. */
  addInput(input: Readable): void {
    input.pause()
    this.#waitingInputs.add(input)
    input.once('close', () => this.#waitingInputs.delete(input))
    this.#connectInputs()
  }

  /** A run has begun. Without `stdin` the container reads /dev/null and inputs are discarded. */
  runStarted(stdin: { stream: Writable; close: () => void; once: boolean } | undefined): void {
    this.#stdin = stdin
    this.#connectInputs()
  }

  output(...args: Parameters<OutputListener>): void {
    this.#emitter.emit('data', ...args)
  }

  runEnded(): void {
    this.#stdin = undefined
    this.#emitter.emit('end')
  }

  #connectInputs(): void {
    const stdin = this.#stdin
    if (stdin === undefined) return
    for (const input of this.#waitingInputs) {
      input.pipe(stdin.stream, { end: false })
      // With StdinOnce the first client that closes its side is the end of the input.
      if (stdin.once) input.once('end', stdin.close)
    }
    this.#waitingInputs.clear()
  }
}
