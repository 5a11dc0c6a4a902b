import { createServer, type AddressInfo } from 'node:net'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { expect, test } from 'vitest'
import { HealthCheckPorts } from './health-check-ports.ts'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('tells a load balancer how many endpoints the node has, and closes with the Service', async () => {
  const ports = new HealthCheckPorts({ address: '127.0.0.1', log: quiet })
  const port = await freePort()
  const ask = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`)
    return [response.status, await response.json()]
  }
  const answer = { service: { namespace: 'shop', name: 'web' }, serviceProxyHealthy: true }
  await ports.apply('shop/web', { port, localEndpoints: 2 })
  expect(await ask()).toEqual([200, { ...answer, localEndpoints: 2 }])
  await ports.apply('shop/web', { port, localEndpoints: 0 })
  expect(await ask()).toEqual([503, { ...answer, localEndpoints: 0 }])
  await ports.apply('shop/web', undefined)
  await expect(ask()).rejects.toThrow()
  await ports.close()
})
