import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Deployments, Nodes, Pods } from '../api/resources.ts'
import { ApiClient } from './api-client.ts'
import { discover } from './discovery.ts'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'

const closing: (() => Promise<unknown>)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))

test('core and named groups, namespaced and cluster-scoped', async () => {
  const server = await TinyApiServer.start()
  closing.push(() => server.close())
  server.resources = [Pods, Nodes, Deployments]
  const found = await discover(new ApiClient({ server: server.url, userAgent: 'tester' }))
  expect(found).toMatchObject([Pods, Nodes, Deployments])
  expect(found[0]?.verbs).toContain('deletecollection')
})

test('a resource of two versions is taken in the preferred one; one that only has subresources is left out', async () => {
  const entry = (resource: string, kind?: string) => ({
    resource,
    ...(kind ? { responseKind: { group: 'x.io', version: '', kind } } : {}),
    scope: 'Namespaced',
    verbs: ['get'],
  })
  const versions = [
    { version: 'v1', resources: [entry('boats', 'Boat'), entry('ghosts')] },
    { version: 'v1beta1', resources: [entry('boats', 'Boat'), entry('rafts', 'Raft')] },
  ]
  const server: Server = createServer(({ url }, response) => {
    response.end(JSON.stringify({ items: url === '/apis' ? [{ metadata: { name: 'x.io' }, versions }] : [] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const found = await discover(new ApiClient({ server: url, userAgent: 'tester' }))
  expect(found.map(({ version, plural }) => `${version}/${plural}`)).toEqual(['v1/boats', 'v1beta1/rafts'])
})
