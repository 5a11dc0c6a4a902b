/**
 * For the tests of whole control loops: a small API server, a clock that is turned by hand, and a loop running on both.
 */

import { setMaxListeners } from 'node:events'
import { FakeClock } from '@dinghy/shared/api/clock'
import { Events, Pods } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informers } from '@dinghy/shared/client/informer'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { createLogger } from '@dinghy/shared/process/logger'
import type { ControllerClass, ControllerFlags } from '../deps.ts'
import { makePod, type PodFacts } from './objects.ts'

const defaultFlags: ControllerFlags = {
  nodeMonitorPeriodMs: 2_000,
  nodeMonitorGracePeriodMs: 8_000,
  terminatedPodGcThreshold: 0,
  autoscalerSyncPeriodMs: 15_000,
  autoscalerDownscaleStabilizationMs: 300_000,
  autoscalerTuning: { tolerance: 0.1, cpuInitializationPeriodMs: 300_000, initialReadinessDelayMs: 30_000 },
}

export class LoopTest {
  readonly server: TinyApiServer
  readonly clock = new FakeClock()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  #flags = defaultFlags

  private constructor(server: TinyApiServer) {
    this.server = server
    // One for each watch and idle worker, as in a real process.
    setMaxListeners(0, this.#stop.signal)
  }

  static async create(): Promise<LoopTest> {
    return new LoopTest(await TinyApiServer.start())
  }

  /** With these flags from now on, instead of the defaults. */
  set flags(flags: Partial<ControllerFlags>) {
    this.#flags = { ...this.#flags, ...flags }
  }

  start(...controllers: ControllerClass[]): void {
    const { clock } = this
    const log = createLogger({ name: 'test', clock, write: () => undefined })
    const client = new ApiClient({ server: this.server.url, userAgent: 'controller' })
    const informers = new Informers(client, { clock, log })
    const deps = { client, informers, clock, log, flags: this.#flags }
    for (const Controller of controllers) this.#running.push(new Controller(deps).run(this.#stop.signal))
    informers.start(this.#stop.signal)
  }

  /** Turns the clock, and lets real I/O happen, until it is so. */
  async until(condition: () => boolean): Promise<void> {
    // Long enough for a machine that is busy with something else.
    const deadline = Date.now() + 25_000
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`still not so: ${String(condition)}`)
      await this.clock.advance(20)
    }
  }

  /** Reports on a pod as its kubelet would. */
  report(pod: Pod, facts: PodFacts): void {
    const { metadata, spec } = this.server.read(Pods, pod.metadata.name, pod.metadata.namespace) ?? pod
    const { status } = makePod(pod.metadata.name, facts)
    const { node = spec.nodeName } = facts
    this.server.put(Pods, { ...pod, metadata, spec: { ...spec, ...(node ? { nodeName: node } : {}) }, status })
  }

  /** `Reason message` of every event that was written. */
  get events(): string[] {
    return this.server.all(Events).map(({ reason, message }) => `${reason} ${message}`)
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
