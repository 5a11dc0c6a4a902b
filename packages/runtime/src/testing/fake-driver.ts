/**
 * A driver for tests whose programs live in memory. Run directories and FIFOs are real, and written to as a shim
 * does, so what reads them is tested as it is.
 *
 * A container's program is the first word of its command:
 *   serve            runs until SIGTERM                 stubborn   runs until SIGKILL
 *   exit N [words]   writes the words and ends with N   missing    cannot be started: no such file
 *   cat              gives back its stdin, until that ends
 * and of an exec: `exit N [words]`, `cat`, `hang`.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { conflict } from '@dinghy/shared/docker/errors'
import type {
  ContainerSpec,
  Driver,
  ExecProcess,
  Exit,
  ProcessRow,
  ProcessSpec,
  Running,
  Usage,
} from '../drivers/driver.ts'
import { startError } from '../start-error.ts'

interface Run {
  spec: ContainerSpec
  running: Running
  stdout: number
  stderr: number
  exit: Exit | undefined
  waiting: ((exit: Exit) => void)[]
}

export interface FakeExec {
  process: ProcessSpec
  killed: boolean
  sizes: [number, number][]
  stdout: PassThrough
  stderr: PassThrough
  exit: (code: number) => void
}

export class FakeDriver implements Driver {
  readonly name = 'linux'
  readonly enforcesSeccomp = true
  /** What was asked of it, "start c1", in order. */
  readonly calls: string[] = []
  readonly runs: Run[] = []
  readonly execs: FakeExec[] = []
  /** Of `ended runs` whose start was never settled. */
  readonly endedRuns: string[] = []
  /** Warnings for every container. */
  warnings: string[] = []
  #now: () => number
  #pid = 1_000_000

  constructor(now: () => number) {
    this.#now = now
  }

  describe(): string[] {
    return []
  }

  warningsFor(): string[] {
    return this.warnings
  }

  async createRunDir(runDir: string): Promise<void> {
    rmSync(runDir, { recursive: true, force: true })
    mkdirSync(runDir, { recursive: true })
    execFileSync(
      'mkfifo',
      ['stdin', 'stdout', 'stderr', 'ack'].map((name) => join(runDir, name)),
    )
  }

  async start(spec: ContainerSpec): Promise<Running> {
    this.calls.push(`start ${spec.process.args.join(' ')}`)
    const [program = '', code = '0', ...words] = spec.process.args
    if (program === 'missing') throw startError('exec: "missing": executable file not found in $PATH')
    const running = { id: spec.id, pid: this.#pid++, startTime: '1', runDir: spec.runDir }
    const [stdout, stderr] = (['stdout', 'stderr'] as const).map((name) =>
      openSync(join(spec.runDir, name), constants.O_RDWR | constants.O_NONBLOCK),
    )
    if (stdout === undefined || stderr === undefined) throw new Error('no streams')
    const run: Run = { spec, running, stdout, stderr, exit: undefined, waiting: [] }
    this.runs.push(run)
    if (program === 'exit') {
      if (words.length > 0) this.say(words.join(' '))
      this.end(Number(code))
    }
    return running
  }

  /** Of the newest run. */
  say(text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    const run = this.#newest()
    writeSync(run[stream], text)
  }

  /** What the newest run's program reads on its stdin now. */
  read(): string {
    const fd = openSync(join(this.#newest().spec.runDir, 'stdin'), constants.O_RDONLY | constants.O_NONBLOCK)
    const buffer = Buffer.alloc(1024)
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
      throw error
    } finally {
      closeSync(fd)
    }
  }

  /** Ends the newest run's program. */
  end(code: number, oomKilled = false): void {
    const run = this.#newest()
    if (run.exit !== undefined) return
    const exit = { code, finishedAtMs: this.#now(), oomKilled }
    run.exit = exit
    for (const resolve of run.waiting) resolve(exit)
  }

  wait(running: Running, signal?: AbortSignal): Promise<Exit> {
    const run = this.#runOf(running)
    return new Promise((resolve, reject) => {
      if (run.exit !== undefined) return resolve(run.exit)
      run.waiting.push(resolve)
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  isAlive(running: Running): boolean {
    return this.runs.some((run) => run.running.pid === running.pid && run.exit === undefined)
  }

  async signal(running: Running, signal: NodeJS.Signals | number): Promise<void> {
    if (!this.isAlive(running)) throw conflict(`container ${running.id} is not running`)
    this.calls.push(`signal ${signal}`)
    const run = this.#runOf(running)
    const endsBy = run.spec.process.args[0] === 'stubborn' ? [9] : [9, 15]
    if (endsBy.includes(Number(signal))) this.#end(run, 128 + Number(signal))
  }

  async endRun(id: string): Promise<void> {
    this.endedRuns.push(id)
  }

  async killAll(running: Running): Promise<void> {
    this.calls.push('killAll')
    this.#end(this.#runOf(running), 137)
  }

  async sweep(): Promise<string[]> {
    return []
  }

  async pause(): Promise<void> {
    this.calls.push('pause')
  }

  async resume(): Promise<void> {
    this.calls.push('resume')
  }

  async exec(_running: Running, _spec: ContainerSpec, process: ProcessSpec, stdin: boolean): Promise<ExecProcess> {
    const [program = '', code = '0', ...words] = process.args
    if (program === 'missing') throw startError('exec: "missing": executable file not found in $PATH')
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    let exit: (code: number) => void = () => undefined
    const exited = new Promise<number>((resolve) => (exit = resolve))
    const fake: FakeExec = { process, killed: false, sizes: [], stdout, stderr, exit }
    this.execs.push(fake)
    const input = new PassThrough()
    const end = (with_: number) => {
      exit(with_)
      stdout.end()
      stderr.end()
    }
    if (program === 'exit') {
      if (words.length > 0) stdout.write(words.join(' '))
      end(Number(code))
    } else if (program === 'cat') {
      input.on('data', (chunk: Buffer) => stdout.write(chunk))
      input.on('end', () => end(0))
    }
    return {
      pid: this.#pid++,
      stdin: stdin ? input : undefined,
      stdout,
      stderr: process.tty ? undefined : stderr,
      exited,
      resize: async (rows, columns) => void fake.sizes.push([rows, columns]),
      kill: async () => {
        fake.killed = true
        end(137)
      },
    }
  }

  async resize(): Promise<void> {}

  async update(): Promise<void> {}

  async usage(): Promise<Usage> {
    return {
      cpuNanos: 5,
      cpuUserNanos: 3,
      cpuKernelNanos: 2,
      memoryBytes: 100,
      memoryPeakBytes: 200,
      memoryLimitBytes: 1000,
      memoryCacheBytes: 10,
      pids: 1,
      pidsLimit: 0,
      readBytes: 7,
      writeBytes: 8,
    }
  }

  async processes(): Promise<ProcessRow[]> {
    return []
  }

  async close(): Promise<void> {
    for (const { stdout, stderr } of this.runs) for (const fd of [stdout, stderr]) closeSync(fd)
  }

  #end(run: Run, code: number): void {
    if (run.exit !== undefined) return
    const exit = { code, finishedAtMs: this.#now(), oomKilled: false }
    run.exit = exit
    for (const resolve of run.waiting) resolve(exit)
  }

  #newest(): Run {
    const run = this.runs.at(-1)
    if (run === undefined) throw new Error('nothing has been started')
    return run
  }

  #runOf({ pid }: Running): Run {
    const run = this.runs.find(({ running }) => running.pid === pid)
    if (run === undefined) throw new Error(`no run has the pid ${pid}`)
    return run
  }
}
