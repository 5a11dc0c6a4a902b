/**
 * Components without processes: what the supervisor starts is noted, and ends when it is told to. Tests decide how
 * each one behaves.
 */

import type { AskHealth, HasBecomeReady, Health } from '../supervisor/health.ts'
import type { RunningProcess, StartProcess } from '../supervisor/process.ts'

export class FakeProcess implements RunningProcess {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<unknown>
  /** What it was sent. */
  readonly signals: string[] = []
  health: Health = 'ready'
  /** Ends at SIGTERM, as a process should; a hung one does not, and one in the kernel not even at SIGKILL. */
  obeys: 'SIGTERM' | 'SIGKILL' | 'nothing' = 'SIGTERM'
  #exit: () => void = () => undefined

  constructor(name: string, pid: number) {
    this.name = name
    this.pid = pid
    this.exited = new Promise<void>((resolve) => (this.#exit = resolve))
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push(signal)
    if (this.obeys === 'SIGTERM' || this.obeys === signal) this.#exit()
  }

  die(): void {
    this.#exit()
  }
}

export class FakeProcesses {
  readonly started: FakeProcess[] = []
  /** Called with each new process, before anybody asks it anything. */
  onStart: (process: FakeProcess) => void = () => undefined

  readonly startProcess: StartProcess = ({ name }) => {
    const process = new FakeProcess(name, 1_000 + this.started.length)
    this.started.push(process)
    this.onStart(process)
    return process
  }

  readonly askHealth: AskHealth = (_runFile, pid) => {
    return Promise.resolve(this.started.find((process) => process.pid === pid)?.health ?? 'starting')
  }

  readonly hasBecomeReady: HasBecomeReady = (_runFile, pid) => {
    return this.started.find((process) => process.pid === pid)?.health === 'ready'
  }

  /** The newest process of that name. */
  of(name: string): FakeProcess {
    const process = this.started.findLast((process) => process.name === name)
    if (!process) throw new Error(`${name} was not started`)
    return process
  }
}
