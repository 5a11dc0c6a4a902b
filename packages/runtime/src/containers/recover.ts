/**
 * What the runtime does with the containers that it finds when it starts: takes up those that still run, notes the end
 * of those that ended meanwhile, finishes what was interrupted, and starts what its restart policy wants up.
 */
import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Running } from '../drivers/driver.ts'
import { readExitCode, readRunning, settleStart } from '../drivers/shim.ts'
import type { Container } from './container.ts'
import type { Containers } from './containers.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Runs } from './runs.ts'
import { startsAtBoot } from './restart-policy.ts'
import { hasProcess } from './state.ts'
import { formatMs } from '../timestamps.ts'

export type Finding =
  | { kind: 'adopt'; running: Running }
  /** It was about to be started when the runtime died, and did not get so far as to run. */
  | { kind: 'lost' }
  | { kind: 'restarting' | 'removing' | 'boot' | 'down' }

/** Decides from the record and what is in the run directory. Pure but for `run`. */
export function findingOf(
  record: Container['record'],
  run: { running: Running | undefined; ended: boolean; isAlive: boolean },
): Finding {
  const { state, hostConfig, startedByUser, stoppedByUser } = record
  const { running } = run
  if (state.status === 'removing') return { kind: 'removing' }
  if (hasProcess(state.status)) {
    // adopt() notices by itself that it has ended.
    return running === undefined ? { kind: 'lost' } : { kind: 'adopt', running }
  }
  // Killed between the start of the process and the note of it: the process is right, the note is old.
  if (running !== undefined && run.isAlive && !run.ended) return { kind: 'adopt', running }
  if (state.status === 'restarting') return { kind: 'restarting' }
  return { kind: startsAtBoot(hostConfig.RestartPolicy, startedByUser, stoppedByUser) ? 'boot' : 'down' }
}

export async function recover(options: {
  containers: Containers
  lifecycle: Lifecycle
  runs: Runs
  clock: Clock
  log: Logger
  /** Removes what an earlier runtime left of networks that nobody is on. */
  sweepBridges: () => Promise<void>
  /** Opens the published ports and the name servers of a container that kept running. */
  reopen: (container: Container) => Promise<void>
}): Promise<void> {
  const { containers, lifecycle, runs, log } = options
  const { driver } = containers
  const all = containers.list()
  await Promise.all(all.map(({ runDir }) => settleStart(options.clock, runDir)))
  const findings = all.map((container) => ({ container, finding: look(container) }))
  const up = findings.filter(({ finding }) => finding.kind === 'adopt').map(({ container }) => container.id)
  containers.networking.retain(new Set(up))
  await options.sweepBridges()
  for (const warning of await driver.sweep(new Set(all.map(({ id }) => id)))) log.warn(warning)
  for (const { container, finding } of findings) {
    try {
      await settle(container, finding)
    } catch (error) {
      log.error({ err: error, container: container.id }, 'could not recover a container')
    }
  }

  function look(container: Container): Finding {
    const running = readRunning(container.id, container.runDir)
    return findingOf(container.record, {
      running,
      ended: readExitCode(container.runDir) !== undefined,
      isAlive: running !== undefined && driver.isAlive(running),
    })
  }

  async function settle(container: Container, finding: Finding): Promise<void> {
    switch (finding.kind) {
      case 'adopt':
        await runs.adopt(container, finding.running)
        await options.reopen(container)
        return
      case 'lost':
        // Where a start got stuck, and on which side of the note of its pid, nobody can tell: it must not go on after
        // this.
        await driver.endRun(container.id, container.runDir)
        await containers.networking.release(container)
        container.transition('exited', { exitCode: 255, finishedAt: formatMs(options.clock.now()) })
        return settle(container, look(container))
      case 'removing':
        await lifecycle.remove(container, { force: true, volumes: container.record.hostConfig.AutoRemove })
        return
      case 'restarting':
        runs.resumeRestart(container)
        return
      case 'boot':
        await lifecycle.start(container)
        return
      case 'down':
        // It ended, or its `docker run` was cut off before it ran, while nobody was there to remove it.
        if (container.record.hostConfig.AutoRemove) {
          await lifecycle.remove(container, { force: false, volumes: true })
        }
    }
  }
}
