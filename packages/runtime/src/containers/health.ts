/**
 * HEALTHCHECK: runs a command in the container every now and then and keeps the verdict in State.Health.
 */
import { once } from 'node:events'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Healthcheck } from '@dinghy/images/content/oci'
import type { Container } from './container.ts'
import type { Containers } from './containers.ts'
import type { Health, HealthLogEntry } from './record.ts'
import { privilegesOf } from './runtime-spec.ts'
import { formatMs } from '../timestamps.ts'

/** Milliseconds, decided. */
export interface HealthPlan {
  command: string[]
  intervalMs: number
  timeoutMs: number
  startPeriodMs: number
  startIntervalMs: number
  retries: number
}

const logLength = 5
const maxOutputBytes = 4096

/** Undefined when there is nothing to run. Durations of the API are nanoseconds, and 0 means the default. */
export function healthPlan(
  check: Healthcheck | undefined,
  shell: string[] = ['/bin/sh', '-c'],
): HealthPlan | undefined {
  const [kind, ...rest] = check?.Test ?? []
  if (check === undefined || kind === undefined || kind === 'NONE') return undefined
  const ms = (nanos: number | undefined, fallback: number) => (nanos ? nanos / 1e6 : fallback)
  return {
    command: kind === 'CMD' ? rest : [...shell, rest.join(' ')],
    intervalMs: ms(check.Interval, 30_000),
    timeoutMs: ms(check.Timeout, 30_000),
    startPeriodMs: ms(check.StartPeriod, 0),
    startIntervalMs: ms(check.StartInterval, 5_000),
    retries: check.Retries || 3,
  }
}

/** The health after one more result. Failures during the start period do not count. */
export function afterCheck(health: Health, entry: HealthLogEntry, plan: HealthPlan, sinceStartMs: number): Health {
  const Log = [...health.Log, entry].slice(-logLength)
  if (entry.ExitCode === 0) return { Status: 'healthy', FailingStreak: 0, Log }
  if (health.Status === 'starting' && sinceStartMs < plan.startPeriodMs) return { ...health, Log }
  const FailingStreak = health.FailingStreak + 1
  return { Status: FailingStreak >= plan.retries ? 'unhealthy' : health.Status, FailingStreak, Log }
}

/** As moby leaves it: nobody looks any more, and nobody should take it for healthy. */
export function afterEnd(health: Health): Health {
  return { ...health, Status: 'unhealthy' }
}

export class HealthChecks {
  readonly #containers: Containers
  readonly #clock: Clock
  readonly #log: Logger

  constructor(containers: Containers, clock: Clock, log: Logger) {
    this.#containers = containers
    this.#clock = clock
    this.#log = log
  }

  /** Checks a container that has just started, until it ends. */
  watch(container: Container): void {
    const { Healthcheck, Shell } = container.record.config
    const plan = healthPlan(Healthcheck, Shell)
    if (plan === undefined) return
    const controller = new AbortController()
    container.background.health = controller
    container.state.health = { Status: 'starting', FailingStreak: 0, Log: [] }
    container.save()
    this.#run(container, plan, controller.signal).catch((error: unknown) => {
      if (!controller.signal.aborted) this.#log.warn({ err: error, container: container.id }, 'health checks ended')
    })
  }

  async #run(container: Container, plan: HealthPlan, signal: AbortSignal): Promise<void> {
    const startedAt = this.#clock.now()
    while (!signal.aborted) {
      const isStarting =
        this.#clock.now() - startedAt < plan.startPeriodMs && container.state.health?.Status === 'starting'
      await this.#clock.sleep(isStarting ? Math.min(plan.startIntervalMs, plan.intervalMs) : plan.intervalMs, signal)
      if (container.state.status !== 'running') continue
      const entry = await this.#check(container, plan)
      if (signal.aborted) return
      const before = container.state.health ?? { Status: 'starting', FailingStreak: 0, Log: [] }
      const health = afterCheck(before, entry, plan, this.#clock.now() - startedAt)
      container.state.health = health
      container.save()
      if (health.Status !== before.Status) this.#containers.publish(container, `health_status: ${health.Status}`)
    }
  }

  async #check(container: Container, plan: HealthPlan): Promise<HealthLogEntry> {
    const Start = formatMs(this.#clock.now())
    const { running } = container.state
    const { record, spec } = container
    if (running === undefined || spec === undefined) return { Start, End: Start, ExitCode: -1, Output: 'not running' }
    const process = await this.#containers.driver.exec(
      running,
      spec,
      {
        ...privilegesOf(record.hostConfig),
        args: plan.command,
        env: spec.process.env,
        cwd: record.config.WorkingDir || '/',
        user: record.config.User,
      },
      false,
    )
    let output = ''
    const streams = [process.stdout, process.stderr].filter((stream) => stream !== undefined)
    for (const stream of streams) {
      stream.on('data', (chunk: Buffer) => {
        if (output.length < maxOutputBytes) output += chunk.toString()
      })
    }
    // The last bytes may arrive after the exit. What the command has left running may keep the streams open, too.
    const read = Promise.all(streams.map((stream) => once(stream, 'close')))
    const controller = new AbortController()
    const late = this.#clock.sleep(plan.timeoutMs, controller.signal).then(
      () => 'late' as const,
      () => 'late' as const,
    )
    const result = await Promise.race([process.exited, late])
    if (result !== 'late') await Promise.race([read, late])
    controller.abort()
    const End = formatMs(this.#clock.now())
    if (result === 'late') {
      await process.kill()
      return { Start, End, ExitCode: -1, Output: `Health check exceeded timeout (${plan.timeoutMs / 1000}s)` }
    }
    return { Start, End, ExitCode: result, Output: output.slice(0, maxOutputBytes) }
  }
}
