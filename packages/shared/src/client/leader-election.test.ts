import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { Leases } from '../api/resources.ts'
import { ApiClient } from './api-client.ts'
import { runWithLease } from './leader-election.ts'
import type { Logger } from './stderr-logger.ts'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let server: TinyApiServer
let clock: FakeClock
let candidates: { stop: AbortController; ended: Promise<void> }[]

beforeEach(async () => {
  server = await TinyApiServer.start()
  clock = new FakeClock()
  candidates = []
})
afterEach(async () => {
  for (const { stop } of candidates) stop.abort()
  await Promise.all(candidates.map(({ ended }) => ended))
  await server.close()
})

/** A candidate that does nothing but note when it leads. */
function stand(identity: string, log: string[], url = server.url) {
  const stop = new AbortController()
  const client = new ApiClient({ server: url, userAgent: identity })
  const lead = (tenure: AbortSignal): Promise<void> => {
    log.push(`${identity} leads`)
    return new Promise((resolve) =>
      tenure.addEventListener('abort', () => {
        log.push(`${identity} stops`)
        resolve()
      }),
    )
  }
  const ended = runWithLease({ client, clock, name: 'scheduler', identity, log: quiet }, lead, stop.signal)
  const candidate = { stop, ended }
  candidates.push(candidate)
  return candidate
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not so: ${String(condition)}`)
    await clock.advance(20)
  }
}

/** Time passes slowly enough for the requests that fall due to be answered. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await clock.advance(100)
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  }
}

function lease() {
  return server.read(Leases, 'scheduler', 'kube-system')?.spec
}

test('the first leads and keeps renewing; the second waits', async () => {
  const log: string[] = []
  stand('a', log)
  await until(() => log.length === 1)
  const first = lease()?.renewTime
  stand('b', log)
  await pass(60_000)
  expect(log).toEqual(['a leads'])
  expect(lease()).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
  expect(lease()?.renewTime).not.toBe(first)
})

test('a leader that stops hands over at once', async () => {
  const log: string[] = []
  const a = stand('a', log)
  await until(() => log.length === 1)
  stand('b', log)
  a.stop.abort()
  await a.ended
  expect(lease()?.holderIdentity).toBe('')
  const before = clock.now()
  await until(() => log.includes('b leads'))
  expect(clock.now() - before).toBeLessThanOrEqual(2_500)
  expect(log).toEqual(['a leads', 'a stops', 'b leads'])
  expect(lease()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
})

test('the Lease of a leader that died counts for its duration, by our own clock', async () => {
  // Its renewTime lies far in the future: that clock was wrong, and must not matter.
  const spec = { holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: '2099-01-01T00:00:00.000000Z' }
  server.put(Leases, { metadata: { name: 'scheduler', namespace: 'kube-system' }, spec })
  const log: string[] = []
  stand('b', log)
  await pass(14_000)
  expect(log).toEqual([])
  await until(() => log.length === 1)
})

test('a leader that cannot renew stops before another may lead, and stands again', async () => {
  const log: string[] = []
  stand('a', log)
  await until(() => log.length === 1)
  await server.close()
  const before = clock.now()
  await until(() => log.length === 2)
  expect(clock.now() - before).toBeLessThan(15_000)
  expect(log).toEqual(['a leads', 'a stops'])
  await server.listen()
  await until(() => log.length === 3)
  expect(log[2]).toBe('a leads')
})

test('it ends when the work ends, and with its error', async () => {
  const client = new ApiClient({ server: server.url, userAgent: 'a' })
  const options = { client, clock, name: 'scheduler', identity: 'a', log: quiet }
  const signal = new AbortController().signal
  await runWithLease(options, async () => {}, signal)
  expect(lease()?.holderIdentity).toBe('')
  const failing = runWithLease(options, () => Promise.reject(new Error('broken')), signal)
  await expect(failing).rejects.toThrow('broken')
  expect(lease()?.holderIdentity).toBe('')
})

test('a leader renews without looking first, and looks when somebody has written meanwhile', async () => {
  const log: string[] = []
  stand('a', log)
  await until(() => log.length === 1)
  const methods = () => server.requests.splice(0).map(({ method }) => method)
  methods()
  await pass(4_100)
  expect(methods()).toEqual(['PUT', 'PUT'])
  const lease = server.read(Leases, 'scheduler', 'kube-system')
  if (!lease) throw new Error('there is no lease')
  server.put(Leases, { ...lease, metadata: { ...lease.metadata, labels: { seen: 'true' } } })
  await pass(2_000)
  expect(methods()).toEqual(['PUT', 'GET', 'PUT'])
  expect(log).toEqual(['a leads'])
})
