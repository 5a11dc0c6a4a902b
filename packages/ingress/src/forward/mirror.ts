/**
 * Mirror: a copy of a request, for a backend whose answer nobody waits for. A mirror that is slow is left, so that it
 * holds up neither the client nor the memory of this process.
 */

import type { BackendCall, BackendReceiver, BackendRequest } from './backend-call.ts'
import type { Endpoint } from './endpoint.ts'

/** What may wait for a mirror. */
const mostWaitingBytes = 256 * 1024

export class Mirror implements BackendReceiver {
  readonly #endpoint: Endpoint
  #call: BackendCall | undefined
  #isReady = false
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** The body is complete, with these trailers. */
  #trailers: string[] | undefined

  constructor(endpoint: Endpoint, request: BackendRequest) {
    this.#endpoint = endpoint
    endpoint.inFlight += 1
    const { upgrade: _upgrade, ...plain } = request
    this.#call = endpoint.send(plain, this)
    this.#flush()
  }

  write(chunk: Buffer): void {
    if (!this.#call) return
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    this.#flush()
    if (this.#waitingBytes > mostWaitingBytes) this.abort()
  }

  end(trailers: string[]): void {
    this.#trailers = trailers
    this.#flush()
  }

  abort(): void {
    this.#call?.abort()
    this.#done()
  }

  onReady(): void {
    this.#isReady = true
    this.#flush()
  }

  onDrain(): void {
    this.onReady()
  }

  onInformation(): void {}
  onHead(): void {}
  onData(): void {}

  onEnd(): void {
    this.#done()
  }

  onUpgrade(): void {
    this.#done()
  }

  onError(): void {
    this.#done()
  }

  #flush(): void {
    while (this.#call && this.#isReady && this.#waiting.length > 0) {
      const chunk = this.#waiting.shift() ?? Buffer.alloc(0)
      this.#waitingBytes -= chunk.length
      this.#isReady = this.#call.write(chunk)
    }
    if (this.#call && this.#trailers && this.#waiting.length === 0 && this.#isReady) {
      this.#call.end(this.#trailers)
      this.#trailers = undefined
    }
  }

  #done(): void {
    if (!this.#call) return
    this.#call = undefined
    this.#endpoint.inFlight -= 1
  }
}
