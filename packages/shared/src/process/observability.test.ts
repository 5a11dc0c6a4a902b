/**
 * What a process shows of itself: log lines, health, metrics, the run file.
 */
import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { Health, healthText } from './health.ts'
import { createLogger, writeLine } from './logger.ts'
import { Distribution, Metrics } from './metrics.ts'
import { removeRunFile, writeRunFile } from './run-file.ts'

describe('logger', () => {
  test.skipIf(!existsSync('/dev/full'))('loses a line on a full disk, not the process', () => {
    const full = openSync('/dev/full', 'w')
    try {
      expect(() => writeSync(full, 'line')).toThrow('ENOSPC')
      expect(() => writeLine(full, 'line\n')).not.toThrow()
    } finally {
      closeSync(full)
    }
  })

  const logged = (level: 'debug' | 'info') => {
    const lines: string[] = []
    const log = createLogger({ name: 'test', level, clock: new FakeClock(42), write: (line) => lines.push(line) })
    return { log, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>), lines }
  }

  test('one line each, in the format of pino', () => {
    const { log, records, lines } = logged('info')
    log.info('hello')
    log.child({ controller: 'x' }).warn({ key: 'a\nb' }, 'careful')
    expect(records()).toEqual([
      { level: 30, time: 42, pid: process.pid, name: 'test', msg: 'hello' },
      { level: 40, time: 42, pid: process.pid, name: 'test', controller: 'x', key: 'a\nb', msg: 'careful' },
    ])
    expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true)
  })

  test('less important lines are left out', () => {
    const { log, records } = logged('info')
    log.debug('quiet')
    expect(records()).toEqual([])
  })

  test('errors keep their message, code, stack and cause', () => {
    const { log, records } = logged('debug')
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    log.error({ err: new Error('no server', { cause }) }, 'failed')
    log.error(new Error('alone'))
    expect(records()[0]).toMatchObject({
      err: {
        type: 'Error',
        message: 'no server',
        stack: expect.stringContaining('observability.test'),
        cause: { code: 'ECONNREFUSED' },
      },
      msg: 'failed',
    })
    expect(records()[1]).toMatchObject({ err: { message: 'alone' }, msg: 'alone' })
  })
})

describe('health', () => {
  test('readiness asks everything, liveness only what a restart would help', async () => {
    const health = new Health()
    let synced = false
    health.addCheck('synced', () => synced)
    health.addCheck('disk', () => Promise.resolve(), { live: true })
    const names = async (endpoint: 'livez' | 'readyz') => (await health.run(endpoint)).map(({ name }) => name)
    expect(await names('livez')).toEqual(['ping', 'disk'])
    expect(await names('readyz')).toEqual(['ping', 'synced', 'disk'])
    expect((await health.run('readyz')).map(({ ok }) => ok)).toEqual([true, false, true])
    synced = true
    expect((await health.run('readyz')).every(({ ok }) => ok)).toBe(true)
  })

  test('a check that throws says why', async () => {
    const health = new Health()
    health.addCheck('server', () => Promise.reject(new Error('connection refused')))
    expect(healthText('readyz', await health.run('readyz'), false)).toBe(
      '[+]ping ok\n[-]server failed: connection refused\nreadyz check failed\n',
    )
  })

  test('the short and the long answer', async () => {
    const results = await new Health().run('livez')
    expect(healthText('livez', results, false)).toBe('ok')
    expect(healthText('livez', results, true)).toBe('[+]ping ok\nlivez check passed\n')
  })
})

test('metrics in the text format', async () => {
  const metrics = new Metrics()
  const requests = metrics.counter('requests_total', 'Requests.', ['verb', 'path'])
  requests.inc({ verb: 'get', path: 'a"b\\c' })
  requests.inc({ verb: 'get', path: 'a"b\\c' }, 2)
  const pods = metrics.gauge('pods', 'Pods.', ['node'])
  pods.set({ node: 'n' }, 3)
  pods.dec({ node: 'n' })
  pods.set({ node: 'gone' }, 1)
  pods.remove({ node: 'gone' })
  let depth = 6
  metrics.observed('depth', 'Depth.', () => [{ labels: { name: 'q' }, value: ++depth }], { labelNames: ['name'] })
  metrics.observed('ticks_total', 'Ticks.', () => 4, { type: 'counter' })
  const latency = metrics.histogram('latency_seconds', 'Latency.', { buckets: [0.1, 1] })
  for (const seconds of [0.05, 0.5, 5]) latency.observe(seconds)
  await metrics.text()
  expect((await metrics.text()).split('\n').filter((line) => line !== '')).toEqual([
    '# HELP requests_total Requests.',
    '# TYPE requests_total counter',
    'requests_total{verb="get",path="a\\"b\\\\c"} 3',
    '# HELP pods Pods.',
    '# TYPE pods gauge',
    'pods{node="n"} 2',
    '# HELP depth Depth.',
    '# TYPE depth gauge',
    'depth{name="q"} 8',
    '# HELP ticks_total Ticks.',
    '# TYPE ticks_total counter',
    'ticks_total 4',
    '# HELP latency_seconds Latency.',
    '# TYPE latency_seconds histogram',
    'latency_seconds_bucket{le="0.1"} 1',
    'latency_seconds_bucket{le="1"} 2',
    'latency_seconds_bucket{le="+Inf"} 3',
    'latency_seconds_sum 5.55',
    'latency_seconds_count 3',
  ])
  expect(() => metrics.counter('pods', 'again')).toThrow('already been registered')
})

test('a histogram that is counted elsewhere reads as one of prom-client does', async () => {
  const [own, theirs] = [new Metrics(), new Metrics()]
  const distribution = new Distribution()
  const histogram = theirs.histogram('latency_seconds', 'Latency.', { labelNames: ['verb'] })
  own.observedHistogram('latency_seconds', 'Latency.', () => [{ labels: { verb: 'get' }, distribution }])
  for (const seconds of [0.0005, 0.001, 0.03, 0.03, 4, 60]) {
    distribution.observe(seconds)
    histogram.observe({ verb: 'get' }, seconds)
  }
  const sorted = (text: string) => text.replaceAll(/\{(.*)\}/g, (_, labels: string) => labels.split(',').sort().join())
  expect(sorted(await own.text())).toBe(sorted(await theirs.text()))
})

test('the run file appears whole, is replaced whole, and leaves nothing behind', () => {
  const directory = mkdtempSync(join(tmpdir(), 'run-file-'))
  const path = join(directory, 'x.json')
  writeRunFile(path, { name: 'x', pid: 1, debug: 'http://127.0.0.1:1' })
  writeRunFile(path, { name: 'x', pid: 1, debug: 'http://127.0.0.1:1', server: 'here' })
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ name: 'x', server: 'here' })
  expect(readdirSync(directory)).toEqual(['x.json'])
  removeRunFile(path)
  removeRunFile(path)
  expect(readdirSync(directory)).toEqual([])
  rmSync(directory, { recursive: true })
})
