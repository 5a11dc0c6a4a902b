import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { Leases, Nodes } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { createLogger } from '@dinghy/shared/process/logger'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { until } from '../testing/until.ts'
import { NodeLease } from './node-lease.ts'

let server: TinyApiServer
let stop: AbortController
beforeEach(async () => {
  server = await TinyApiServer.start()
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await server.close()
})

test('an attempt that nobody answers is given up, and its end is told', async () => {
  const clock = new FakeClock()
  const log = createLogger({ name: 'test', clock, write: () => undefined })
  server.put(Nodes, { metadata: { name: 'node-1' } })
  const client = new ApiClient({ server: server.url, userAgent: 'kubelet/node-1' })
  let isSilent = false
  let reached = 0
  let swallowed = 0
  // A network that swallows everything; the request ends with its signal alone.
  const swallowing = new Proxy(client, {
    get: (target, key: 'get') =>
      isSilent && ['get', 'update'].includes(key)
        ? (...args: unknown[]) => {
            swallowed++
            return untilAborted(args.at(-1) as AbortSignal)
          }
        : (target[key].bind(target) as unknown),
  })
  const lease = new NodeLease({
    client: swallowing,
    clock,
    log,
    node: 'node-1',
    periodMs: 3_000,
    onReachable: () => reached++,
  })
  const passUntil = (condition: () => boolean) =>
    until(() => {
      void clock.advance(100)
      return condition()
    })
  void lease.run(stop.signal)
  await passUntil(() => server.read(Leases, 'node-1', 'kube-node-lease') !== undefined)
  isSilent = true
  // The second attempt is made because the first was given up.
  await passUntil(() => swallowed >= 2)
  expect(reached).toBe(0)
  isSilent = false
  await passUntil(() => reached === 1)
  const { length } = server.requests
  await passUntil(() => server.requests.length > length + 1)
  expect(reached).toBe(1)
})

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
