/**
 * The life of a process, with a host of our own in the place of node's; the debug server is asked over real HTTP.
 */
import { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { debugQueues, type Gate } from '../reconcile/gate.ts'
import { FlagError } from './flags.ts'
import { runMain, type Context, type Host, type Main } from './main.ts'

class FakeHost extends EventEmitter implements Host {
  readonly argv: string[]
  readonly env = { LOG_LEVEL: 'fatal' }
  readonly log: string[] = []
  readonly stdin = new PassThrough()
  readonly printed: string[] = []
  readonly stdout = { write: (text: string) => this.printed.push(text) }
  readonly stderr = { write: (text: string) => this.printed.push(text) }
  readonly writeLog = (line: string) => void this.log.push(line)
  readonly exited: Promise<number>
  exit!: (code: number) => void

  constructor(...argv: string[]) {
    super()
    this.argv = ['node', 'main.js', ...argv]
    this.exited = new Promise((resolve) => (this.exit = resolve))
  }
}

const flags = { server: { type: 'string', default: 'x', help: 'the server' } } as const

/** Starts a main that works until it is told to stop, and gives what its run was given. */
async function start(host: FakeHost, run?: Main<typeof flags>['run']): Promise<Context<typeof flags>> {
  return new Promise((resolve) => {
    runMain(
      {
        name: 'test',
        flags,
        run: async (context) => {
          // After announce: that comes right behind run's first await.
          setImmediate(() => resolve(context))
          context.health.addCheck('works', () => true)
          await (run ? run(context) : context.clock.sleep(1e8, context.signal))
        },
      },
      host,
    )
  })
}

describe('starting and stopping', () => {
  let directory: string
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'main-'))))
  afterEach(() => rmSync(directory, { recursive: true }))

  test('writes the run file, serves, and leaves in order on SIGTERM', async () => {
    const runFile = join(directory, 'run.json')
    const host = new FakeHost('--run-file', runFile)
    const { debug, flags, announce } = await start(host)
    expect(flags.server).toBe('x')
    const said = () => JSON.parse(readFileSync(runFile, 'utf8')) as Record<string, unknown>
    expect(said()).toMatchObject({ name: 'test', pid: process.pid, debug: debug.url })
    announce({ serves: 'here' })
    expect(said()).toMatchObject({ serves: 'here', debug: debug.url })
    expect(await (await fetch(`${debug.url}/readyz`)).text()).toBe('ok')
    host.emit('SIGTERM')
    expect(await host.exited).toBe(0)
    expect(existsSync(runFile)).toBe(false)
    await expect(fetch(debug.url)).rejects.toThrow()
  })

  test('says in the run file when it has become ready, and not before', async () => {
    const runFile = join(directory, 'run.json')
    const host = new FakeHost('--run-file', runFile)
    let isWell = false
    let asked = 0
    await start(host, async ({ health, clock, signal }) => {
      health.addCheck('well', () => (asked++, isWell))
      await clock.sleep(1e8, signal)
    })
    const said = () => JSON.parse(readFileSync(runFile, 'utf8')) as { readyAt?: number }
    await vi.waitFor(() => expect(asked).toBeGreaterThan(1))
    expect(said().readyAt).toBeUndefined()
    isWell = true
    await vi.waitFor(() => expect(said().readyAt).toBeGreaterThan(0))
    host.emit('SIGTERM')
    expect(await host.exited).toBe(0)
  })

  test('is not ready before its work has said what that means', async () => {
    const host = new FakeHost()
    const ran = new Promise<Context<typeof flags>>((resolve) => {
      runMain({ name: 'test', flags, run: (context) => (resolve(context), new Promise(() => undefined)) }, host)
    })
    const { health } = await ran
    const failed = async () => (await health.run('readyz')).filter(({ ok }) => !ok).map(({ name }) => name)
    expect(await failed()).toEqual(['started'])
    health.addCheck('works', () => true)
    expect(await failed()).toEqual([])
    host.emit('SIGTERM')
  })

  test('stops when stdin ends, if asked to', async () => {
    const host = new FakeHost('--exit-with-parent')
    const { signal } = await start(host)
    host.stdin.end()
    expect(await host.exited).toBe(0)
    expect(signal.aborted).toBe(true)
  })

  test('a second signal does not wait', async () => {
    const host = new FakeHost()
    await start(host, () => new Promise(() => undefined))
    host.emit('SIGINT')
    host.emit('SIGINT')
    expect(await host.exited).toBe(1)
  })

  test('work that takes too long to stop is cut off', async () => {
    const host = new FakeHost()
    const run = () => new Promise<void>(() => undefined)
    runMain({ name: 'test', flags, run, shutdownTimeoutMs: 1 }, host)
    host.emit('SIGTERM')
    expect(await host.exited).toBe(1)
  })

  test.each<[string, (host: FakeHost) => void, Main<typeof flags>['run'] | undefined]>([
    ['run rejects', () => undefined, () => Promise.reject(new Error('no'))],
    ['nobody catches a rejection', (host) => host.emit('unhandledRejection', new Error('no')), undefined],
    ['nobody catches an exception', (host) => host.emit('uncaughtException', new Error('no')), undefined],
  ])('exits with 1 when %s', async (_when, act, run) => {
    const host = new FakeHost('--log-level', 'fatal')
    await start(host, run)
    act(host)
    expect(await host.exited).toBe(1)
    expect(host.log.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['no'])
  })
})

describe('the command line', () => {
  test('--help prints the flags, common ones too', async () => {
    const host = new FakeHost('--help')
    runMain({ name: 'test', flags, run: () => Promise.reject(new Error('must not run')) }, host)
    expect(await host.exited).toBe(0)
    expect(host.printed.join('')).toMatch(/--server string.*--debug-address string.*--exit-with-parent/s)
  })

  test('--check-flags runs nothing', async () => {
    const right = new FakeHost('--server', 'y', '--check-flags')
    runMain({ name: 'test', flags, run: () => Promise.reject(new Error('it ran')) }, right)
    expect(await right.exited).toBe(0)
    const wrong = new FakeHost('--sever', 'y', '--check-flags')
    runMain({ name: 'test', flags, run: () => Promise.reject(new Error('it ran')) }, wrong)
    expect(await wrong.exited).toBe(1)
  })

  test.each<[string, () => Promise<void>, number, string[]]>([
    ['is right', () => Promise.resolve(), 0, []],
    ['is wrong', () => Promise.reject(new FlagError('--server: no')), 1, ['test: --server: no (see --help)\n']],
  ])('--check-flags looks at what a flag points to: it %s', async (_how, checkFlags, code, printed) => {
    const host = new FakeHost('--check-flags')
    runMain({ name: 'test', flags, checkFlags, run: () => Promise.reject(new Error('it ran')) }, host)
    expect(await host.exited).toBe(code)
    expect(host.printed).toEqual(printed)
  })

  test('a wrong flag is one clear line', async () => {
    const host = new FakeHost('--sever', 'y')
    runMain({ name: 'test', flags, run: () => Promise.reject(new Error('must not run')) }, host)
    expect(await host.exited).toBe(1)
    expect(host.printed).toEqual(['test: unknown flag: --sever (see --help)\n'])
  })
})

describe('the debug server', () => {
  let host: FakeHost
  let url: string
  let stepped: string[]

  beforeEach(async () => {
    host = new FakeHost()
    const { debug, health } = await start(host)
    health.addCheck('synced', () => false)
    url = debug.url
    stepped = []
    const gate = (name: string): Gate => ({
      length: 2,
      pause: () => stepped.push(`pause ${name}`),
      resume: () => stepped.push(`resume ${name}`),
      step: () => (stepped.push(`step ${name}`), 'ns/a'),
      snapshot: () => ({ paused: false, queued: [], processing: [], delayed: [], totals: {} }),
    })
    debugQueues.set('one', gate('one')).set('two', gate('two'))
  })
  afterEach(async () => {
    debugQueues.clear()
    host.emit('SIGTERM')
    await host.exited
  })

  test('health and metrics', async () => {
    const ready = await fetch(`${url}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([
      500,
      '[+]ping ok\n[+]shutdown ok\n[+]started ok\n[+]works ok\n[-]synced failed: not yet\nreadyz check failed\n',
    ])
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m)
    expect(metrics).toMatch(/^workqueue_depth\{name="two"\} 2$/m)
  })

  test('queues: look, pause, resume, step; one or all', async () => {
    const queues = (await (await fetch(`${url}/debug/queue`)).json()) as { queues: object }
    expect(Object.keys(queues.queues)).toEqual(['one', 'two'])
    const post = async (path: string) => (await fetch(url + path, { method: 'POST' })).json()
    expect(await post('/debug/step?queue=two')).toEqual({ queues: { two: { stepped: 'ns/a', length: 2 } } })
    await post('/debug/pause')
    await post('/debug/resume?queue=one')
    expect(stepped).toEqual(['step two', 'pause one', 'pause two', 'resume one'])
  })

  test('what it refuses', async () => {
    expect((await fetch(`${url}/debug/pause`)).status).toBe(405)
    expect((await fetch(`${url}/debug/queue?queue=none`)).status).toBe(404)
    expect((await fetch(`${url}/nowhere`)).status).toBe(404)
    expect((await fetch(`${url}/debug/queue`, { headers: { origin: 'https://evil.example' } })).status).toBe(403)
    expect(stepped).toEqual([])
  })
})
