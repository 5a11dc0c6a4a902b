import { expect, onTestFinished, test } from 'vitest'
import { serverFixture } from './testing/server-fixture.ts'

test('listens on all its addresses, and the Service kubernetes leads to the one that is told', async () => {
  const second = `127.0.0.1:${20_000 + (process.pid % 10_000)}`
  const fixture = await serverFixture({ listen: ['127.0.0.1:0', second], advertiseAddress: '172.30.0.1' })
  onTestFinished(() => fixture.close())
  const { json } = await fixture.ask('GET', '/api/v1/namespaces/default/endpoints/kubernetes')
  expect(json['subsets']).toMatchObject([{ addresses: [{ ip: '172.30.0.1' }], ports: [{ port: fixture.server.port }] }])
  expect(await (await fetch(`http://${second}/readyz`)).text()).toBe('ok')
})
