import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEngine } from '../testing/engine.ts'

let house: Awaited<ReturnType<typeof newEngine>>
beforeAll(async () => {
  house = await newEngine()
})
afterAll(() => house.close())

test.each([
  ['POST', '/services/create', 503, 'This node is not a swarm manager. Use "docker swarm init"'],
  ['GET', '/services/x/logs', 503, 'This node is not a swarm manager.'],
  ['DELETE', '/nodes/x', 503, 'This node is not a swarm manager.'],
  ['POST', '/secrets/create', 503, 'This node is not a swarm manager.'],
  ['GET', '/configs', 503, 'This node is not a swarm manager.'],
  ['POST', '/swarm/update', 503, 'This node is not a swarm manager.'],
  ['POST', '/swarm/leave', 503, 'This node is not part of a swarm'],
  ['POST', '/swarm/init', 501, 'swarms are not supported'],
  ['PUT', '/containers/json', 404, 'page not found'],
  ['DELETE', '/info', 404, 'page not found'],
])('%s %s', async (method, path, status, message) => {
  await expect(house.engine.text(method, path)).rejects.toMatchObject({
    status,
    message: expect.stringContaining(message),
  })
})

test('an engine keeps its id', async () => {
  const { ID } = await house.engine.json<{ ID: string }>('GET', '/info')
  expect(ID).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(await house.engine.json('GET', '/info')).toMatchObject({ ID })
})

test('the list of networks has two addresses, and a second connect is forbidden', async () => {
  expect(await house.engine.json('GET', '/networks/')).toHaveLength(3)
  await house.engine.json('POST', '/networks/create', { body: { Name: 'mine', Driver: 'loopback' } })
  await house.lifecycle.start(await house.create(['serve'], { HostConfig: { NetworkMode: 'mine' } }, 'box'))
  await expect(
    house.engine.text('POST', '/networks/mine/connect', { body: { Container: 'box' } }),
  ).rejects.toMatchObject({ status: 403 })
})

test('a network is found in its scope only, and has no options of addresses unless asked for', async () => {
  await house.engine.json('POST', '/networks/create', { body: { Name: 'scoped', Driver: 'loopback' } })
  const found = await house.engine.json('GET', '/networks/scoped?scope=local')
  expect(found).toMatchObject({ Scope: 'local', IPAM: { Options: null } })
  await expect(house.engine.text('GET', '/networks/scoped?scope=swarm')).rejects.toMatchObject({ status: 404 })
})

test('who wants a link removed does not lose the container', async () => {
  await house.create(['serve'], {}, 'linked')
  await expect(house.engine.text('DELETE', '/containers/linked?link=1')).rejects.toMatchObject({ status: 500 })
  expect(await house.engine.json('GET', '/containers/linked/json')).toMatchObject({ Name: '/linked' })
})

test('inspect shows what nobody has asked for, as Docker does', async () => {
  await house.create(['serve'], {}, 'plain')
  expect(await house.engine.json('GET', '/containers/plain/json')).toMatchObject({
    HostConfig: {
      Runtime: 'runc',
      CgroupnsMode: 'private',
      MemorySwappiness: null,
      OomKillDisable: null,
      PidsLimit: null,
      MaskedPaths: expect.arrayContaining(['/proc/kcore']),
      ReadonlyPaths: expect.arrayContaining(['/proc/sys']),
    },
    GraphDriver: { Data: { MergedDir: expect.stringMatching(/merged$/) } },
    NetworkSettings: { Networks: { bridge: { MacAddress: '', DNSNames: expect.anything() } } },
  })
  await house.create(['serve'], { HostConfig: { Privileged: true } }, 'mighty')
  expect(await house.engine.json('GET', '/containers/mighty/json')).toMatchObject({ HostConfig: { MaskedPaths: null } })
})
