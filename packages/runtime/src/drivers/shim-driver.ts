/**
 * What all drivers do alike, because every run stands under a shim (shim.ts): its directory, the start of a command
 * in it, signals to its first process, and the end of a run of which nobody knows how far it got.
 */
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '@dinghy/shared/docker/errors'
import type { ContainerSpec, Running } from './driver.ts'
import { endRun } from './end-run.ts'
import type { FifoPool } from './fifo-pool.ts'
import { isSameProcess } from './process-table.ts'
import { createRunDir, launch, waitForExit, type LaunchOptions } from './shim.ts'
import type { SpareShell } from './spare-shell.ts'

export interface ShimDriverOptions {
  clock: Clock
  fifos: FifoPool
  shells: SpareShell
}

export abstract class ShimDriver {
  readonly clock: Clock
  readonly #fifos: FifoPool
  readonly shells: SpareShell

  constructor({ clock, fifos, shells }: ShimDriverOptions) {
    this.clock = clock
    this.#fifos = fifos
    this.shells = shells
  }

  async createRunDir(runDir: string): Promise<void> {
    await createRunDir(this.#fifos, runDir)
  }

  isAlive(running: Running): boolean {
    return isSameProcess(running.pid, running.startTime)
  }

  async signal(running: Running, signal: NodeJS.Signals | number): Promise<void> {
    if (!this.isAlive(running)) throw new DockerError(409, `container ${running.id} is not running`)
    process.kill(running.pid, signal)
  }

  /** See Driver; what a driver has beyond the processes under the shim it ends itself. */
  async endRun(_id: string, runDir: string): Promise<void> {
    await endRun(this.clock, runDir)
  }

  async close(): Promise<void> {
    this.shells.close()
  }

  /** launch() of shim.ts. A start that fails leaves no process behind, whatever has become of the shim. */
  async launch(
    run: Pick<ContainerSpec, 'id' | 'runDir' | 'stdin'>,
    command: string[],
    options?: LaunchOptions,
  ): Promise<Running> {
    try {
      return await launch(this.clock, this.shells, run, command, options)
    } catch (error) {
      await this.endRun(run.id, run.runDir)
      throw error
    }
  }

  /**
   * waitForExit() of shim.ts. When it comes to its end without a word from the shim, nothing of the run is left
   * either.
   */
  async waitForExit(running: Running, signal?: AbortSignal): Promise<{ code: number; at: number }> {
    const { code, at, isLost } = await waitForExit(this.clock, running, signal)
    if (isLost) await endRun(this.clock, running.runDir)
    return { code, at }
  }
}
