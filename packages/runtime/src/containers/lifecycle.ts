/**
 * Runs containers: start, stop, kill, pause, restart, and what happens when one exits.
 *
 * One background task per running container (`#monitor`) waits for its end and is the only place where a container
 * stops being "running"; stop and kill just send signals and wait for it. So an exit is handled the same way whether
 * a user, the program itself or the kernel brought it about.
 */
import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import { badParameter, conflict, DockerError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { Driver, Exit, Running } from '../drivers/driver.ts'
import { signalNumber } from '../drivers/exit-code.ts'
import type { Container } from './container.ts'
import { despiteFullDisk } from './full-disk.ts'
import type { Containers } from './containers.ts'
import type { HealthChecks } from './health.ts'
import { driverMounts } from './mounts.ts'
import { never, type State } from './record.ts'
import { restartDelay } from './restart-policy.ts'
import { containerSpecOf } from './runtime-spec.ts'
import { after, hasProcess, refusal } from './state.ts'
import { Stdio } from './stdio.ts'

const defaultStopSeconds = 10
/** How long a SIGKILL may take to be noticed. */
const killWaitMs = 10_000

export class Lifecycle {
  readonly #containers: Containers
  readonly #driver: Driver
  readonly #clock: Clock
  readonly #log: Logger
  readonly #health: HealthChecks
  /** Aborted when the runtime stops: monitors let go, containers stay. */
  readonly #signal: AbortSignal

  constructor(options: {
    containers: Containers
    clock: Clock
    log: Logger
    health: HealthChecks
    signal: AbortSignal
  }) {
    this.#containers = options.containers
    this.#driver = options.containers.driver
    this.#clock = options.clock
    this.#log = options.log
    this.#health = options.health
    this.#signal = options.signal
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
      await this.#start(container)
      return true
    })
  }

  async #start(container: Container): Promise<void> {
    const { record, runDir } = container
    try {
      const networked = await this.#containers.networking.acquire(container)
      await this.#driver.createRunDir(runDir)
      const spec = containerSpecOf({
        record,
        rootfs: container.rootfs,
        runDir,
        mounts: [...networked.mounts, ...driverMounts(record.mounts)],
        extraEnv: networked.env,
        hostname: networked.hostname,
        isolated: networked.isolated,
        interfaces: networked.interfaces,
        pidOf: (reference) => this.#pidOf(reference),
      })
      const stdio = new Stdio(runDir)
      if (spec.stdin !== 'null') stdio.openStdin()
      const started: Partial<State> = {
        exitCode: 0,
        error: '',
        oomKilled: false,
        startedAt: new Date(this.#clock.now()).toISOString(),
        finishedAt: never,
      }
      // From here on a new runtime would look for the process.
      container.save(after(container.state, 'started', started))
      const running = await this.#driver.start(spec).catch((error: unknown) => {
        stdio.finish()
        throw error
      })
      container.spec = spec
      this.#connect(container, stdio)
      record.state = after(container.state, 'started', { ...started, running })
      this.#containers.networking.refresh(record)
      this.#containers.publish(container, 'start')
      this.#monitor(container, running)
    } catch (error) {
      await this.#failStart(container, error)
      throw error
    }
  }

  /** Takes up a container that an earlier runtime started; its program has never noticed. */
  async adopt(container: Container, running: Running): Promise<void> {
    const { record, runDir } = container
    this.#containers.networking.reacquire(container)
    container.spec = containerSpecOf({
      record,
      rootfs: container.rootfs,
      runDir,
      mounts: [],
      extraEnv: this.#containers.networking.envOf(record),
      hostname: record.config.Hostname,
      // For its execs: what it shares is in its own namespace by now.
      isolated: record.hostConfig.NetworkMode !== 'host',
      // Only needed to start it, and the other may be gone by now.
      pidOf: () => running.pid,
    })
    const stdio = new Stdio(runDir)
    if (record.config.OpenStdin && !record.config.StdinOnce) stdio.openStdin()
    this.#connect(container, stdio)
    if (!hasProcess(container.state.status)) {
      container.transition('started', {
        running,
        exitCode: 0,
        error: '',
        startedAt: new Date(this.#clock.now()).toISOString(),
      })
    } else {
      container.state.running = running
      container.save()
    }
    this.#monitor(container, running)
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
    await this.stop(container, options)
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

  #connect(container: Container, stdio: Stdio): void {
    const { config } = container.record
    container.stdio = stdio
    stdio.openOutput((stream, chunk) => {
      container.log?.write(stream, chunk)
      container.attachments.output(stream, chunk)
    })
    container.attachments.runStarted(
      stdio.stdin && { stream: stdio.stdin, close: () => stdio.closeStdin(), once: config.StdinOnce },
    )
  }

  #monitor(container: Container, running: Running): void {
    const ended = this.#driver
      .wait(running, this.#signal)
      .then((exit) => this.#exited(container, exit))
      .catch((error: unknown) => {
        if (this.#signal.aborted) return
        this.#log.error({ err: error, container: container.id }, 'lost track of a container')
      })
      .finally(() => {
        if (container.ended === ended) container.ended = undefined
      })
    container.ended = ended
    if (container.record.config.Healthcheck !== undefined) this.#health.watch(container)
  }

  /** The order matters: a client that hears of the exit may at once read all output, reuse ports or start it again. */
  async #exited(container: Container, exit: Exit): Promise<void> {
    const { record, state } = container
    container.background.health?.abort()
    container.stdio?.finish()
    container.stdio = undefined
    container.log?.flush()
    if (container.log?.loss !== undefined)
      this.#log.error({ err: container.log.loss, container: container.id }, 'could not keep all of its output')
    await despiteFullDisk(this.#log, container, () => this.#containers.networking.release(container))
    const delayMs = restartDelay({
      policy: record.hostConfig.RestartPolicy,
      exitCode: exit.code,
      restartCount: record.restartCount,
      stoppedByUser: record.stoppedByUser,
      ranMs: exit.finishedAt.getTime() - Date.parse(state.startedAt),
      previousDelayMs: container.restartDelayMs,
    })
    container.spec = undefined
    delete state.running
    await despiteFullDisk(this.#log, container, () =>
      container.transition(delayMs === undefined ? 'exited' : 'willRestart', {
        exitCode: exit.code,
        oomKilled: exit.oomKilled,
        finishedAt: exit.finishedAt.toISOString(),
      }),
    )
    if (exit.oomKilled) this.#containers.publish(container, 'oom')
    const ranSeconds = Math.floor((exit.finishedAt.getTime() - Date.parse(state.startedAt)) / 1000)
    this.#containers.publish(container, 'die', { exitCode: String(exit.code), execDuration: String(ranSeconds) })
    container.attachments.runEnded()
    container.log?.endRun()
    container.notifyExit()
    if (delayMs !== undefined) this.#restartLater(container, delayMs)
    else if (record.hostConfig.AutoRemove) this.#removeLater(container)
  }

  /** Waits, unless somebody stops, starts or removes the container in the meantime. */
  #restartLater(container: Container, delayMs: number): void {
    const controller = new AbortController()
    container.background.restart = controller
    container.restartDelayMs = delayMs
    this.#clock
      .sleep(delayMs, AbortSignal.any([controller.signal, this.#signal]))
      .then(() =>
        container.exclusive(async () => {
          if (controller.signal.aborted || container.state.status !== 'restarting') return
          container.record.restartCount += 1
          await this.#start(container)
        }),
      )
      .catch((error: unknown) => {
        if (controller.signal.aborted || this.#signal.aborted) return
        this.#log.warn({ err: error, container: container.id }, 'could not restart a container')
      })
  }

  /** Resumes the wait of a restart that the runtime's own end interrupted. */
  resumeRestart(container: Container): void {
    this.#restartLater(container, container.restartDelayMs)
  }

  /** Not inside the operation that made it exit: that one may hold the container. */
  #removeLater(container: Container): void {
    container
      .exclusive(async () => this.#containers.remove(container, { volumes: true }))
      .catch((error: unknown) =>
        this.#log.error({ err: error, container: container.id }, 'could not remove a container'),
      )
  }

  async #failStart(container: Container, error: unknown): Promise<void> {
    const message = messageOf(error)
    await this.#containers.networking.release(container)
    container.stdio = undefined
    const exitCode = exitCodeOfStartError(message)
    const wasWaitedFor = container.state.status === 'restarting'
    if (wasWaitedFor) container.transition('exited')
    Object.assign(container.state, { exitCode, error: message })
    container.save()
    container.attachments.runEnded()
    if (wasWaitedFor) container.notifyExit()
    if (!container.record.hostConfig.AutoRemove) return
    // Whoever waits for the removal of a container that never ran must hear of it.
    await this.#containers.remove(container, { volumes: true })
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

  #pidOf(reference: string): number {
    const other = this.#containers.get(reference)
    const { running } = other.state
    if (running === undefined) throw conflict(`cannot join namespace of a non running container: ${other.id}`)
    return running.pid
  }
}

function numberOf(signal: string): number {
  const number = signalNumber(signal)
  if (number === undefined) throw badParameter(`Invalid signal: ${signal}`)
  return number
}

/** As dockerd reads its own errors; the CLI reads them again. */
function exitCodeOfStartError(message: string): number {
  if (/executable file not found|no such file or directory|system cannot find/.test(message)) return 127
  return /permission denied|is a directory|not a directory/.test(message) ? 126 : 128
}
