/**
 * Runs of containers: from the start of one to its end, and to the next if its restart policy wants one.
 *
 * One background task per running container (`#monitor`) waits for its end and is the only place where a container
 * stops being "running"; stop and kill (lifecycle.ts) just send signals and wait for it. So an exit is handled the
 * same way whether a user, the program itself or the kernel brought it about.
 */
import type { Clock } from '@dinghy/shared/api/clock'
import { messageOf } from '@dinghy/shared/api/message-of'
import { conflict } from '@dinghy/shared/docker/errors'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Driver, Exit, Running } from '../drivers/driver.ts'
import type { Container } from './container.ts'
import type { Containers } from './containers.ts'
import { despiteFullDisk } from './full-disk.ts'
import { afterEnd, type HealthChecks } from './health.ts'
import { driverMounts } from './mounts.ts'
import { never, type State } from './record.ts'
import { restartDelay } from './restart-policy.ts'
import { containerSpecOf, stdinOf } from './runtime-spec.ts'
import { after, hasProcess } from './state.ts'
import { Stdio } from './stdio.ts'
import { formatMs } from '../timestamps.ts'

export class Runs {
  readonly #containers: Containers
  readonly #driver: Driver
  readonly #clock: Clock
  readonly #log: Logger
  readonly #health: HealthChecks
  /** Aborted when the runtime stops: monitors let go, containers stay. */
  readonly #signal: AbortSignal

  constructor(deps: { containers: Containers; clock: Clock; log: Logger; health: HealthChecks; signal: AbortSignal }) {
    this.#containers = deps.containers
    this.#driver = deps.containers.driver
    this.#clock = deps.clock
    this.#log = deps.log
    this.#health = deps.health
    this.#signal = deps.signal
  }

  /**
   * Throws what stands against it, after everything has been undone. To be called through the container's
   * `exclusive`.
   */
  async start(container: Container): Promise<void> {
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
        startedAt: formatMs(this.#clock.now()),
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
      await this.#failed(container, error)
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
    // The other kind has ended with the runtime that held it.
    if (stdinOf(record.config) === 'keep') stdio.openStdin()
    this.#connect(container, stdio)
    if (!hasProcess(container.state.status)) {
      container.transition('started', {
        running,
        exitCode: 0,
        error: '',
        startedAt: formatMs(this.#clock.now()),
      })
    } else {
      container.state.running = running
      container.save()
    }
    this.#monitor(container, running)
  }

  #connect(container: Container, stdio: Stdio): void {
    const { config } = container.record
    container.stdio = stdio
    stdio.openOutput((stream, chunk) => {
      container.log?.write(stream, chunk)
      container.attachments.output(stream, chunk)
    })
    container.attachments.runStarted(
      stdio.stdin && { stream: stdio.stdin, close: () => stdio.closeStdin(), once: stdinOf(config) === 'once' },
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
      ranMs: exit.finishedAtMs - Date.parse(state.startedAt),
      previousDelayMs: container.restartDelayMs,
    })
    container.spec = undefined
    delete state.running
    if (state.health !== undefined) state.health = afterEnd(state.health)
    await despiteFullDisk(this.#log, container, () =>
      container.transition(delayMs === undefined ? 'exited' : 'willRestart', {
        exitCode: exit.code,
        oomKilled: exit.oomKilled,
        finishedAt: formatMs(exit.finishedAtMs),
      }),
    )
    if (exit.oomKilled) this.#containers.publish(container, 'oom')
    const ranSeconds = Math.floor((exit.finishedAtMs - Date.parse(state.startedAt)) / 1000)
    this.#containers.publish(container, 'die', { exitCode: String(exit.code), execDuration: String(ranSeconds) })
    container.attachments.runEnded()
    container.log?.endRun()
    container.notifyExit()
    if (delayMs !== undefined) this.#restartLater(container, delayMs)
    else if (record.hostConfig.AutoRemove && !container.isRestarting) this.#removeLater(container)
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
          await this.start(container)
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

  async #failed(container: Container, error: unknown): Promise<void> {
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

  #pidOf(reference: string): number {
    const other = this.#containers.get(reference)
    const { running } = other.state
    if (running === undefined) throw conflict(`cannot join namespace of a non running container: ${other.id}`)
    return running.pid
  }
}

/** As dockerd reads its own errors; the CLI reads them again. */
function exitCodeOfStartError(message: string): number {
  if (/executable file not found|no such file or directory|system cannot find/.test(message)) return 127
  return /permission denied|is a directory|not a directory/.test(message) ? 126 : 128
}
