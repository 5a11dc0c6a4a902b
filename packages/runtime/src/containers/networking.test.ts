import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Network } from '../networks/network.ts'
import type { NetworkInterface } from '../networks/network-interface.ts'
import { newHouse } from '../testing/house.ts'
import { askerAt } from './asker.ts'
import type { Container } from './container.ts'
import type { Cables } from './networking.ts'

/** Bridges that only note what is asked of them. */
class FakeCables implements Cables {
  readonly calls: string[] = []
  failPlug: (() => Error | undefined) | undefined

  async ensure({ name }: { name: string }): Promise<void> {
    this.calls.push(`ensure ${name}`)
  }
  async plug(_pid: number, { name }: NetworkInterface): Promise<void> {
    const failure = this.failPlug?.()
    if (failure !== undefined) throw failure
    this.calls.push(`plug ${name}`)
  }
  async unplug(_pid: number, _port: string, left: NetworkInterface[]): Promise<void> {
    const failure = this.failPlug?.()
    if (failure !== undefined) throw failure
    this.calls.push(`unplug, left ${left.map(({ name }) => name).join()}`)
  }
  async reroute(): Promise<void> {
    this.calls.push('reroute')
  }
  async discard(ports: string[]): Promise<void> {
    this.calls.push(`discard ${ports.length}`)
  }
}

let house: ReturnType<typeof newHouse>
let cables: FakeCables
beforeEach(() => {
  cables = new FakeCables()
  house = newHouse({ cables })
  house.networks.create({ Name: 'mine', IPAM: { Config: [{ Subnet: '10.1.0.0/24' }] } })
  house.networks.create({ Name: 'other', IPAM: { Config: [{ Subnet: '10.2.0.0/24' }] } })
})
afterEach(() => house.close())

async function running(mode: string, body = {}, name = ''): Promise<Container> {
  const container = await house.create(['serve'], { HostConfig: { NetworkMode: mode }, ...body }, name)
  await house.lifecycle.start(container)
  return container
}
function spec() {
  return house.driver.runs.at(-1)?.spec
}
function connect(container: Container, network: string, config = {}): Promise<void> {
  return container.exclusive(() => house.containers.networking.connect(container, network, config))
}
function disconnect(container: Container, network: string): Promise<void> {
  return container.exclusive(() => house.containers.networking.disconnect(container, network))
}

test('on a bridge a container has a namespace, an interface and an address of its own, and gives them back', async () => {
  const container = await running('mine')
  expect(spec()?.namespaces?.network).toBe('private')
  expect(spec()?.interfaces?.map(({ name }) => name)).toEqual(['eth0'])
  const endpoint = container.record.networks['mine']
  expect(endpoint).toMatchObject({ IPAddress: '10.1.0.2', Gateway: '10.1.0.1', IPPrefixLen: 24 })
  expect(spec()?.process.env.join()).not.toContain('DINGHY_IP')
  await house.lifecycle.stop(container)
  expect(container.record.networks['mine']).toMatchObject({ IPAddress: '', MacAddress: '' })
  expect(cables.calls).toEqual(['ensure mine', 'discard 1'])
})

test('on a loopback network it shares the machine’s, and its address is in its environment', async () => {
  house.networks.create({ Name: 'lo', Driver: 'loopback' })
  const container = await running('lo', { Env: ['NODE_OPTIONS=--x'] })
  const ip = container.record.networks['lo']?.IPAddress
  expect(spec()?.namespaces?.network).toBeUndefined()
  expect(spec()?.process.env).toEqual(
    expect.arrayContaining([`DINGHY_IP=${ip}`, 'NODE_OPTIONS=--x --require=/.dinghy/preload.cjs']),
  )
  expect(spec()?.mounts.map(({ target }) => target)).toContain('/.dinghy/preload.cjs')
})

test('networks come and go while it runs', async () => {
  const container = await running('mine')
  await connect(container, 'other')
  expect(container.record.networks['other']?.IPAddress).toBe('10.2.0.2')
  expect(cables.calls).toEqual(['ensure mine', 'ensure other', 'plug eth1'])
  await expect(connect(container, 'other')).rejects.toThrow('already exists in network other')
  await disconnect(container, 'mine')
  expect(Object.keys(container.record.networks)).toEqual(['other'])
  expect(cables.calls.at(-1)).toBe('unplug, left eth1')
  await expect(disconnect(container, 'mine')).rejects.toThrow('is not connected to network mine')
})

test('on networks with a name server names are asked for, and neither told nor known elsewhere', async () => {
  await house.close()
  const nameServers = {
    open: async (network: Network) => {
      const hasMoved = network.dnsPort === undefined
      house.networks.setDnsPort(network, 4000)
      return hasMoved
    },
  }
  house = newHouse({ cables, nameServers })
  house.networks.create({ Name: 'mine', IPAM: { Config: [{ Subnet: '10.1.0.0/24' }] } })
  house.networks.create({ Name: 'other', Internal: true, IPAM: { Config: [{ Subnet: '10.2.0.0/24' }] } })
  const fileOf = ({ dir }: Container, name: string) => readFileSync(join(dir, name), 'utf8')
  const [mine, other] = [house.networks.get('mine'), house.networks.get('other')]
  const asker = (network: Network, address: string) =>
    askerAt(network, address, house.containers.records(), house.networks.list())
  const namesAt = (network: Network, address: string) =>
    asker(network, address)?.networks.map(({ name, members }) => ({
      [name]: members.map((member) => member.name).toSorted(),
    }))

  const plain = await running('bridge', {}, 'plain')
  const db = await running('mine', {}, 'db')
  expect(spec()?.interfaces).toMatchObject([{ name: 'eth0', nameServer: { address: '10.1.0.1', port: 4000 } }])
  expect(fileOf(db, 'resolv.conf')).toContain('nameserver 127.0.0.11\n')
  const web = await running('mine', {}, 'web')
  expect(fileOf(web, 'hosts')).not.toContain('db')
  expect(namesAt(mine, '10.1.0.3')).toEqual([{ mine: ['db', 'web'] }])
  expect(namesAt(mine, '10.1.0.9')).toBeUndefined()
  expect(namesAt(other, '10.1.0.3')).toBeUndefined()

  // One on the default network knows nobody, until it joins another.
  expect(fileOf(plain, 'resolv.conf')).not.toContain('127.0.0.11')
  await connect(plain, 'other')
  expect(fileOf(plain, 'resolv.conf')).toContain('127.0.0.11')
  expect(namesAt(other, '10.2.0.2')).toEqual([{ other: ['plain'] }])
  expect(asker(other, '10.2.0.2')?.canLeave).toBe(true)
  await disconnect(plain, 'bridge')
  expect(asker(other, '10.2.0.2')?.canLeave).toBe(false)
  await connect(plain, 'mine')
  await disconnect(plain, 'other')
  expect(namesAt(mine, '10.1.0.4')).toEqual([{ mine: ['db', 'plain', 'web'] }])
})

test('a connection that fails leaves nothing', async () => {
  const container = await running('mine')
  cables.failPlug = () => new Error('no more devices')
  await expect(connect(container, 'other')).rejects.toThrow('no more devices')
  expect(Object.keys(container.record.networks)).toEqual(['mine'])
  expect(house.networks.get('other').endpoints).toEqual({})
})

test('one that ends while it is connected joins as what does not run', async () => {
  const container = await running('mine')
  cables.failPlug = () => {
    house.driver.end(0)
    return new Error('no such process')
  }
  await connect(container, 'other')
  expect(container.state.status).toBe('exited')
  expect(container.record.networks['other']).toMatchObject({ IPAddress: '' })
  await house.lifecycle.start(container)
  await disconnect(container, 'mine')
  expect(Object.keys(container.record.networks)).toEqual(['other'])
})

test('a container in another’s network has its name, its files and its addresses', async () => {
  const pause = await running('mine', { Hostname: 'pod' }, 'pause')
  const member = await running('container:pause')
  expect(spec()?.namespaces?.network).toEqual({ pid: pause.state.running?.pid })
  expect(spec()?.hostname).toBe('pod')
  expect(house.containers.networking.addressOf(member.record)).toBe('10.1.0.2')
  await expect(connect(member, 'other')).rejects.toThrow('sharing network namespace')
  await house.lifecycle.remove(pause, { force: true, volumes: false })
  expect(() => house.containers.networking.addressOf(member.record)).toThrow('No such container')
})

test('none is a network of its own, host the machine’s, and neither has another beside it', async () => {
  const alone = await running('none')
  expect(spec()?.namespaces?.network).toBe('private')
  await expect(connect(alone, 'mine')).rejects.toThrow('private (none) mode')
  const open = await running('host')
  expect(spec()?.namespaces?.network).toBeUndefined()
  await expect(connect(open, 'mine')).rejects.toThrow('cannot be connected to host network')
  await expect(disconnect(open, 'host')).rejects.toThrow('cannot be disconnected from host network')
  house.networks.create({ Name: 'lo', Driver: 'loopback' })
  await expect(connect(await running('mine'), 'lo')).rejects.toThrow('it is a loopback network')
})

test('a network that is gone is the start’s error', async () => {
  const container = await house.create(['serve'], { HostConfig: { NetworkMode: 'mine' } })
  house.networks.remove('mine')
  await expect(house.lifecycle.start(container)).rejects.toThrow('network mine not found')
  expect(container.state.status).toBe('created')
})

test('where there are no bridges a bridge network cannot be joined', async () => {
  const { root, driver, clock } = house
  await house.close(true)
  house = newHouse({ root, driver, clock })
  const container = await house.create(['serve'], { HostConfig: { NetworkMode: 'mine' } })
  await expect(house.lifecycle.start(container)).rejects.toThrow('needs a bridge, but this runtime makes none')
})

test('a link gives the default network names and variables, but not those that are set', async () => {
  const db = await running('bridge', { ExposedPorts: { '5432/tcp': {} }, Env: ['USER=me'] }, 'db')
  const HostConfig = { Links: ['db:store', 'db:data'] }
  const web = await house.create(['serve'], { HostConfig, Env: ['STORE_NAME=mine'] }, 'web')
  await house.lifecycle.start(web)
  const ip = db.record.networks['bridge']?.IPAddress
  const env = spec()?.process.env ?? []
  expect(env).toContain(`STORE_PORT=tcp://${ip}:5432`)
  expect(env).toContain('DATA_ENV_USER=me')
  expect(env.filter((entry) => entry.startsWith('STORE_NAME='))).toEqual(['STORE_NAME=mine'])
  expect(readFileSync(join(web.dir, 'hosts'), 'utf8')).toMatch(new RegExp(`^${ip}\t.*\\bstore data$`, 'm'))
  await expect(running('bridge', { HostConfig: { Links: ['a:b:c'] } })).rejects.toThrow('bad format for links: a:b:c')
})

test('a link of an endpoint is a name on its network', async () => {
  await running('mine', {}, 'db')
  const web = await running('other')
  await connect(web, 'mine', { Links: ['db:store'] })
  expect(readFileSync(join(web.dir, 'hosts'), 'utf8')).toMatch(/^10\.1\.0\.2\t.*\bstore$/m)
})

test('in a namespace that a file holds nothing is plugged in, and others may join', async () => {
  const file = '/proc/self/ns/net'
  const pause = await running(`ns:${file}`, {}, 'pause')
  expect(spec()?.namespaces?.network).toEqual({ path: file })
  expect(spec()?.hostname).toBe(hostname())
  expect(spec()?.interfaces).toEqual([])
  expect(spec()?.sysctls).toEqual({})
  expect(readFileSync(join(pause.dir, 'hosts'), 'utf8')).toBe(readFileSync('/etc/hosts', 'utf8'))
  await running('container:pause')
  expect(spec()?.namespaces?.network).toEqual({ pid: pause.state.running?.pid })
  await expect(connect(pause, 'mine')).rejects.toThrow('cannot be connected to host network')
  await expect(running('ns:/nonexistent/net')).rejects.toThrow('/nonexistent/net is not there')
})
