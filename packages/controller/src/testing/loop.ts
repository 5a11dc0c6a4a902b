/** For the tests of whole control loops: a small API server, a clock that is turned by hand, and a loop running on both. */

import { setMaxListeners } from 'node:events'
import { FakeClock } from '@dinghy/shared/api/clock'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informers } from '@dinghy/shared/client/informer'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { createLogger } from '@dinghy/shared/process/logger'
import type { ControllerDeps } from '../deps.ts'

type Start = (deps: ControllerDeps, signal: AbortSignal) => Promise<void>

export class LoopTest {
  readonly server: TinyApiServer
  readonly clock = new FakeClock()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []

  private constructor(server: TinyApiServer) {
    this.server = server
    // One for each watch and idle worker, as in a real process.
    setMaxListeners(0, this.#stop.signal)
  }

  static async create(): Promise<LoopTest> {
    return new LoopTest(await TinyApiServer.start())
  }

  start(...loops: Start[]): void {
    const { clock } = this
    const log = createLogger({ name: 'test', clock, write: () => undefined })
    const client = new ApiClient({ server: this.server.url, userAgent: 'controller' })
    const informers = new Informers(client, { clock, log })
    const flags = { nodeMonitorPeriodMs: 2_000, nodeMonitorGracePeriodMs: 8_000, terminatedPodGcThreshold: 0 }
    for (const loop of loops) this.#running.push(loop({ client, informers, clock, log, flags }, this.#stop.signal))
    informers.start(this.#stop.signal)
  }

  /** Turns the clock, and lets real I/O happen, until it is so. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + 5_000
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`still not so: ${String(condition)}`)
      await this.clock.advance(20)
    }
  }

  /** Turns the clock slowly enough for every request that falls due to be answered. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      await this.clock.advance(250)
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    }
  }

  async end(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
    await this.server.close()
  }
}
