/**
 * What a user asks of a container: start, stop, kill, restart, pause, unpause, remove. Requests that change its state
 * run one after another; the run itself, with its end, is runs.ts' business.
 */
import type { Clock } from '@dinghy/shared/api/clock'
import { badParameter, conflict, DockerError } from '@dinghy/shared/docker/errors'
import type { Driver, Running } from '../drivers/driver.ts'
import { signalNumber } from '../drivers/exit-code.ts'
import type { Container } from './container.ts'
import type { Containers } from './containers.ts'
import type { Runs } from './runs.ts'
import { hasProcess, refusal } from './state.ts'

const defaultStopSeconds = 10
/** How long a SIGKILL may take to be noticed. */
const killWaitMs = 10_000

export class Lifecycle {
  readonly #containers: Containers
  readonly #driver: Driver
  readonly #clock: Clock
  readonly #runs: Runs

  constructor(deps: { containers: Containers; clock: Clock; runs: Runs }) {
    this.#containers = deps.containers
    this.#driver = deps.containers.driver
    this.#clock = deps.clock
    this.#runs = deps.runs
  }

  /** Resolves to false when it runs already. */
  async start(container: Container): Promise<boolean> {
    return container.exclusive(async () => {
      const { status } = container.state
      if (status === 'running') return false
      if (status === 'paused') throw conflict('cannot start a paused container, try unpause instead')
      if (status === 'removing') throw conflict('container is marked for removal and cannot be started')
      container.background.restart?.abort()
      container.record.stoppedByUser = false
      container.record.startedByUser = true
      container.record.restartCount = 0
      await this.#runs.start(container)
      return true
    })
  }

  /** Resolves to false when it does not run. A negative timeout waits for ever. */
  async stop(container: Container, options: { seconds?: number; signal?: string } = {}): Promise<boolean> {
    const { record } = container
    record.stoppedByUser = true
    container.background.restart?.abort()
    return container.exclusive(async () => {
      if (container.state.status === 'restarting') {
        container.transition('exited')
        container.notifyExit()
        return true
      }
      if (!hasProcess(container.state.status)) return false
      container.save()
      const name = options.signal || record.config.StopSignal || 'SIGTERM'
      const seconds = options.seconds ?? record.config.StopTimeout ?? defaultStopSeconds
      await this.#signalProcess(container, numberOf(name))
      if (container.state.status === 'paused') await this.#thaw(container)
      const isStopped = await this.#waitForEnd(container, seconds < 0 ? Infinity : seconds * 1000)
      if (!isStopped) await this.#killAndWait(container)
      this.#containers.publish(container, 'stop')
      return true
    })
  }

  async kill(container: Container, signal = 'SIGKILL'): Promise<void> {
    const number = numberOf(signal)
    const { id, name, state, record } = container
    const refused = refusal('kill', state.status, id, name)
    if (refused !== undefined) throw refused
    const isStop = number === 9 || number === numberOf(record.config.StopSignal ?? 'SIGTERM')
    if (isStop) {
      record.stoppedByUser = true
      container.save()
    }
    await this.#signalProcess(container, number)
    if (number === 9) {
      if (container.state.status === 'paused') await this.#thaw(container)
      await this.#waitForEnd(container, killWaitMs)
    }
  }

  async restart(container: Container, options: { seconds?: number; signal?: string } = {}): Promise<void> {
    // With --rm, too: it is to run again.
    container.isRestarting = true
    try {
      await this.stop(container, options)
    } finally {
      container.isRestarting = false
    }
    await this.start(container)
    this.#containers.publish(container, 'restart')
  }

  async pause(container: Container): Promise<void> {
    await container.exclusive(async () => {
      const { running, spec } = this.#runningOf(container, 'pause')
      await this.#driver.pause(running, spec)
      container.transition('paused')
      this.#containers.publish(container, 'pause')
    })
  }

  async unpause(container: Container): Promise<void> {
    await container.exclusive(async () => {
      this.#runningOf(container, 'unpause')
      await this.#thaw(container)
      this.#containers.publish(container, 'unpause')
    })
  }

  /** Stops it if need be and `force`d, then removes it with everything that was made for it. */
  async remove(container: Container, options: { force: boolean; volumes: boolean }): Promise<void> {
    if (options.force) {
      container.record.stoppedByUser = true
      container.background.restart?.abort()
      await container.exclusive(async () => {
        if (container.state.status === 'restarting') container.transition('exited')
        if (hasProcess(container.state.status)) await this.#killAndWait(container)
      })
    }
    await container.exclusive(async () => this.#containers.remove(container, options))
  }

  /** The process of a running container and what it was started with. Throws the refusal of `request` otherwise. */
  #runningOf(
    container: Container,
    request: 'pause' | 'unpause',
  ): { running: Running; spec: NonNullable<Container['spec']> } {
    const { state, spec, id, name } = container
    const refused = refusal(request, state.status, id, name)
    if (refused !== undefined) throw refused
    if (state.running === undefined || spec === undefined) throw conflict(`container ${id} is not running`)
    return { running: state.running, spec }
  }

  async #thaw(container: Container): Promise<void> {
    const { running } = container.state
    if (running === undefined || container.spec === undefined) return
    await this.#driver.resume(running, container.spec)
    if (container.state.status === 'paused') container.transition('resumed')
  }

  async #signalProcess(container: Container, signal: number): Promise<void> {
    const { running } = container.state
    if (running === undefined || !this.#driver.isAlive(running)) return
    await this.#driver.signal(running, signal)
    this.#containers.publish(container, 'kill', { signal: String(signal) })
  }

  async #killAndWait(container: Container): Promise<void> {
    const { running, status } = container.state
    if (running === undefined || container.spec === undefined) return
    this.#containers.publish(container, 'kill', { signal: '9' })
    await this.#driver.killAll(running, container.spec)
    if (status === 'paused') await this.#thaw(container)
    if (await this.#waitForEnd(container, killWaitMs)) return
    throw new DockerError(
      500,
      `cannot stop container: ${container.name}: tried to kill container, but did not receive an exit event`,
    )
  }

  /** Whether the present run has ended, and been dealt with, within the time. */
  async #waitForEnd(container: Container, timeoutMs: number): Promise<boolean> {
    const { ended } = container
    if (ended === undefined) return true
    if (timeoutMs === Infinity) return ended.then(() => true)
    const controller = new AbortController()
    const late = this.#clock.sleep(timeoutMs, controller.signal).then(
      () => false,
      () => true,
    )
    const result = await Promise.race([ended.then(() => true), late])
    controller.abort()
    return result
  }
}

function numberOf(signal: string): number {
  const number = signalNumber(signal)
  if (number === undefined) throw badParameter(`Invalid signal: ${signal}`)
  return number
}
