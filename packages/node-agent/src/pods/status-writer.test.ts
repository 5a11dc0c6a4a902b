import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '@dinghy/shared/api/clock'
import { serviceUnavailable } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { defined } from '@dinghy/testing/defined'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { createLogger } from '@dinghy/shared/process/logger'
import { pod } from '../testing/objects.ts'
import { StatusWriter } from './status-writer.ts'

let api: TinyApiServer
let writer: StatusWriter
let seen: Pod
const stop = new AbortController()

beforeEach(async () => {
  api = await TinyApiServer.start()
  const client = new ApiClient({ server: api.url, userAgent: 'kubelet/node-1' })
  const log = createLogger({ name: 'test', clock: systemClock, write: () => undefined })
  writer = new StatusWriter({ client, clock: systemClock, log, signal: stop.signal })
  seen = api.put(Pods, pod())
})
afterEach(() => api.close())

function writes() {
  return api.requests.filter(({ method }) => method === 'PUT')
}
function stored() {
  return api.read(Pods, 'web', 'default')?.status
}

test('writes what differs, and nothing else', async () => {
  writer.publish(seen, { phase: 'Pending' })
  await writer.flush(seen.metadata.uid)
  expect(writes()).toHaveLength(0)
  writer.publish(seen, { phase: 'Running', podIP: '10.244.1.7' })
  expect(writer.latest(seen).status.phase).toBe('Running')
  await writer.flush(seen.metadata.uid)
  expect(writes().map(({ path }) => path)).toEqual(['/api/v1/namespaces/default/pods/web/status'])
  expect(stored()).toEqual({ phase: 'Running', podIP: '10.244.1.7', conditions: [] })
  expect(writer.isOurs(defined(api.read(Pods, 'web', 'default')))).toBe(true)
})

test('during a write only the newest status waits', async () => {
  for (const podIP of ['1', '2', '3', '4']) writer.publish(seen, { phase: 'Running', podIP })
  await writer.flush(seen.metadata.uid)
  expect(stored()?.podIP).toBe('4')
  expect(writes().length).toBeLessThanOrEqual(2)
})

test('a conflict is resolved by laying our part over what the others wrote', async () => {
  api.put(Pods, { ...seen, status: { phase: 'Pending', conditions: [{ type: 'DisruptionTarget', status: 'True' }] } })
  writer.publish(seen, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] })
  await writer.flush(seen.metadata.uid)
  expect(stored()?.phase).toBe('Running')
  expect(stored()?.conditions?.map(({ type }) => type)).toEqual(['DisruptionTarget', 'Ready'])
})

test('an api-server that is away for a moment is waited for', async () => {
  let refusals = 2
  api.failNext = () => (refusals-- > 0 ? serviceUnavailable('not now') : undefined)
  writer.publish(seen, { phase: 'Running' })
  await writer.flush(seen.metadata.uid)
  expect(stored()?.phase).toBe('Running')
})

test('the status of a pod that is gone, or was made anew, interests nobody', async () => {
  api.remove(Pods, 'web', 'default')
  const anew = api.put(Pods, { ...pod(), metadata: { ...pod().metadata, uid: 'another' } })
  writer.publish(seen, { phase: 'Running' })
  await writer.flush(seen.metadata.uid)
  expect(stored()).toEqual(anew.status)
})
