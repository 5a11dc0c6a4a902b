import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { FakeClock } from '@dinghy/shared/api/clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ServiceInfo } from '../rules/service-info.ts'
import { UserspaceProxier } from './userspace-proxier.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const node = { name: 'n1', address: '127.0.0.1' }

let backend: Server
let port: number
let proxier: UserspaceProxier
let given: string[][]

beforeEach(async () => {
  backend = createServer((socket) => socket.end('hello'))
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
  port = (backend.address() as AddressInfo).port
  given = []
  proxier = new UserspaceProxier({
    clock: new FakeClock(),
    log: quiet,
    nodeOf: () => undefined,
    onRefused: () => undefined,
    place: { node, nodePortAddresses: [], isShared: false },
    addresses: {
      set: async (addresses) => void given.push([...new Set(addresses)].toSorted((a, b) => a.localeCompare(b))),
    },
  })
})
afterEach(async () => {
  for (const service of ['shop/a', 'shop/b']) await proxier.apply(service, undefined)
  await new Promise((resolve) => backend.close(resolve))
})

/** A Service at these addresses, on the port of the backend, which is elsewhere. */
function info(service: string, ...clusterIPs: string[]): ServiceInfo {
  const backends = [{ address: '127.0.0.1', port, node: 'n1' }]
  const whole = {
    service,
    portName: '',
    protocol: 'TCP' as const,
    clusterIPs,
    externalIPs: [],
    loadBalancerIPs: [],
    port,
    sourceRanges: [],
    internalPolicy: 'Cluster' as const,
    externalPolicy: 'Cluster' as const,
    backends,
    backendsOfNodes: backends,
  }
  return { service, ports: [whole] }
}

test('addresses come before the listeners that need them, and go after them', async () => {
  await proxier.start([info('shop/a', '127.0.1.1')])
  await proxier.apply('shop/a', info('shop/a', '127.0.1.1'))
  expect(await text(connect({ host: '127.0.1.1', port }))).toBe('hello')
  await proxier.apply('shop/b', info('shop/b', '127.0.1.2'))
  await proxier.apply('shop/a', info('shop/a', '127.0.1.3'))
  expect(await text(connect({ host: '127.0.1.3', port }))).toBe('hello')
  await expect(text(connect({ host: '127.0.1.1', port }))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await proxier.apply('shop/b', undefined)
  expect(given).toEqual([
    ['127.0.1.1'],
    ['127.0.1.1', '127.0.1.2'],
    ['127.0.1.1', '127.0.1.2', '127.0.1.3'],
    ['127.0.1.2', '127.0.1.3'],
    ['127.0.1.3'],
  ])
  expect(proxier.countByState()).toEqual({ serving: 1, waiting: 0, refused: 0 })
})
