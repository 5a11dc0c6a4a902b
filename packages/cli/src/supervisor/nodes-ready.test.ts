import { afterEach, beforeEach, expect, test } from 'vitest'
import { Nodes } from '@dinghy/shared/api/resources'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { someConfig } from '../testing/temporary-state.ts'
import { untilNodesReady } from './nodes-ready.ts'

let server: TinyApiServer
beforeEach(async () => (server = await TinyApiServer.start()))
afterEach(() => server.close())

function put(name: string, status: 'True' | 'False'): void {
  server.put(Nodes, { metadata: { name }, status: { conditions: [{ type: 'Ready', status }] } })
}

test('every node that is wanted up has to be Ready', async () => {
  put('node-1', 'True')
  put('node-2', 'False')
  const ready = untilNodesReady(someConfig, server.url, new AbortController().signal)
  put('node-2', 'True')
  expect(await ready).toBe(true)
  put('node-2', 'False')
  const nodes = [{ name: 'node-1' }, { name: 'node-2', stopped: true }]
  expect(await untilNodesReady({ nodes }, server.url, new AbortController().signal)).toBe(true)
})

test('it gives up when it is told to', async () => {
  const stop = new AbortController()
  const ready = untilNodesReady(someConfig, server.url, stop.signal)
  stop.abort()
  expect(await ready).toBe(false)
})
