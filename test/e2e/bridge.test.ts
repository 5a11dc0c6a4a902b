/**
 * Bridge networks: containers in network namespaces of their own. The runtime itself gets one too, so that what is
 * counted in it is its own doing, and nothing of this machine's network changes. Its neighbour on the wire is a third
 * namespace.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { isDeepStrictEqual } from 'node:util'
import type Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled } from './harness/cluster.ts'
import { eventually, RuntimeProcess } from './harness/runtime.ts'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const missing = !isRoot ? 'this needs root on Linux' : isInstalled('ip') ? '' : 'the program ip is not installed'
const hasNft = isInstalled('nft')

/** Keeps a namespace alive: it has a loopback device that is up, and nothing else. */
class NetworkNamespace {
  #holder: ChildProcess | undefined

  async open(): Promise<void> {
    this.#holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo up && exec cat'])
    await once(this.#holder.stdout ?? this.#holder, 'data')
  }
  get path(): string {
    return `/proc/${this.#holder?.pid}/ns/net`
  }
  get enter(): string[] {
    return ['nsenter', `--net=${this.path}`]
  }
  run(...command: string[]): string {
    const [program = '', ...args] = [...this.enter, ...command]
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
    return stdout
  }
  links(): string[] {
    return (JSON.parse(this.run('ip', '-json', 'link', 'show')) as { ifname: string }[]).map(({ ifname }) => ifname)
  }
  /** Links, routes and rules: what a runtime could leave behind. */
  contents(): unknown {
    return [this.links(), this.run('ip', 'route'), hasNft ? this.run('nft', 'list', 'ruleset') : '']
  }
  close(): void {
    this.#holder?.kill('SIGKILL')
  }
}

/** Prints who answers at HOST:PORT and whom it sees, or why nobody does. */
const askProgram = `fetch('http://' + process.argv[1], { signal: AbortSignal.timeout(+process.argv[2]) }).then((r) => r.text()).then(
  (answer) => console.log(answer), (error) => console.log(error.cause?.code ?? error.name)).finally(() => process.exit())`
function ask(target: string, timeoutMs = 5000): string[] {
  return ['node', '-e', askProgram, target, String(timeoutMs)]
}
/** Answers with a name and the address of who asks, on all addresses. */
function serve(name: string, port = 8080): string[] {
  return [
    'node',
    '-e',
    `require('http').createServer((q, r) => r.end('${name} sees ' + q.socket.remoteAddress)).listen(${port}, '0.0.0.0')`,
  ]
}
const sleep = ['sh', '-c', 'while :; do sleep 1; done']

describe.skipIf(missing !== '')(`bridge networks${missing && ` (skipped: ${missing})`}`, () => {
  const machine = new NetworkNamespace()
  const runtime = new RuntimeProcess('--driver', 'linux', '--network', 'bridge')
  const { docker } = runtime
  let untouched: unknown

  beforeAll(async () => {
    await machine.open()
    untouched = machine.contents()
    runtime.startedBy = machine.enter
    await runtime.start()
    for (const name of ['busybox', 'node']) {
      const stream = await docker.pull(name)
      await new Promise((resolve) => docker.modem.followProgress(stream, resolve))
    }
  })
  afterAll(async () => {
    // A test that failed may have left it stopped, and only a runtime can remove its containers.
    await runtime.end('SIGTERM')
    await runtime.start()
    await runtime.destroy()
    machine.close()
  })

  async function start(name: string, options: Docker.ContainerCreateOptions = {}): Promise<Docker.Container> {
    const container = await docker.createContainer({ name, Image: 'node', Cmd: serve(name), ...options })
    await container.start()
    return container
  }
  async function run(container: Docker.Container, ...Cmd: string[]): Promise<string> {
    const exec = await container.exec({ Cmd, AttachStdout: true, AttachStderr: true, Tty: true })
    return (await text(await exec.start({ Tty: true }))).replaceAll('\r', '').trim()
  }
  const endpointOf = async (container: Docker.Container, network: string) => {
    const endpoint = (await container.inspect()).NetworkSettings.Networks[network]
    if (endpoint === undefined) throw new Error(`not on ${network}`)
    return endpoint
  }
  /** A server may need a moment until it listens. */
  const answers = (from: Docker.Container, target: string, expected: string) =>
    eventually(async () => (await run(from, ...ask(target))) === expected)
  const remove = (...containers: Docker.Container[]) =>
    Promise.all(containers.map((container) => container.remove({ force: true })))

  test('an idle runtime has made nothing', async () => {
    // What it tried bridges with is the kernel's to take away.
    await eventually(() => isDeepStrictEqual(machine.contents(), untouched))
  })

  test('the default network: an interface, an address and a MAC of its own, a way out', async () => {
    const [one, two] = [await start('one'), await start('two')]
    const [first, second] = [await endpointOf(one, 'bridge'), await endpointOf(two, 'bridge')]
    expect(first).toMatchObject({
      IPAddress: '172.17.0.2',
      IPPrefixLen: 16,
      Gateway: '172.17.0.1',
      MacAddress: '02:42:ac:11:00:02',
    })
    const links = JSON.parse(await run(one, 'ip', '-json', 'addr')) as {
      ifname: string
      address: string
      addr_info: { local: string }[]
    }[]
    expect(links.map(({ ifname, address, addr_info: [info] }) => [ifname, address, info?.local])).toEqual([
      ['lo', '00:00:00:00:00:00', '127.0.0.1'],
      ['eth0', '02:42:ac:11:00:02', '172.17.0.2'],
    ])
    expect(await run(one, 'ip', 'route')).toMatch(/^default via 172\.17\.0\.1 dev eth0/)
    expect(await run(one, 'env')).not.toContain('DINGHY_IP')
    // Both listen on all addresses, on one port.
    await answers(one, `${second.IPAddress}:8080`, 'two sees 172.17.0.2')
    await answers(two, `${first.IPAddress}:8080`, 'one sees 172.17.0.3')
    await answers(one, 'localhost:8080', 'one sees 127.0.0.1')
    expect(machine.run(...ask('172.17.0.2:8080'))).toBe('one sees 172.17.0.1\n')
    await remove(one, two)
  })

  test('published ports lead to the container', async () => {
    const web = await start('web', {
      ExposedPorts: { '8080/tcp': {} },
      HostConfig: { PortBindings: { '8080/tcp': [{ HostPort: '8081' }] } },
    })
    await answers(web, 'localhost:8080', 'web sees 127.0.0.1')
    expect(machine.run(...ask('127.0.0.1:8081'))).toBe('web sees 172.17.0.1\n')
    const { networks } = await web.stats({ stream: false, 'one-shot': true })
    expect(networks['eth0']?.rx_bytes).toBeGreaterThan(100)
    // They follow it from network to network.
    const network = await docker.createNetwork({ Name: 'moved', IPAM: { Config: [{ Subnet: '10.91.0.0/24' }] } })
    await network.connect({ Container: web.id })
    await docker.getNetwork('bridge').disconnect({ Container: web.id })
    expect(machine.run(...ask('127.0.0.1:8081'))).toBe('web sees 10.91.0.1\n')
    await web.remove({ force: true })
    await network.remove()
  })

  test('a network of one’s own: subnet, gateway, address and MAC as asked for, and names', async () => {
    const network = await docker.createNetwork({
      Name: 'front',
      IPAM: { Driver: 'default', Config: [{ Subnet: '10.87.0.0/24', Gateway: '10.87.0.254' }] },
      Options: { 'com.docker.network.bridge.name': 'front0', 'com.docker.network.driver.mtu': '1400' },
    })
    expect(machine.links()).toContain('front0')
    const fixed = await start('fixed', {
      HostConfig: { NetworkMode: 'front' },
      NetworkingConfig: {
        EndpointsConfig: {
          front: { IPAMConfig: { IPv4Address: '10.87.0.77' }, MacAddress: '02:00:00:00:00:77', Aliases: ['db'] },
        },
      },
    })
    const other = await start('other', { HostConfig: { NetworkMode: 'front' } })
    expect(await endpointOf(fixed, 'front')).toMatchObject({
      IPAddress: '10.87.0.77',
      MacAddress: '02:00:00:00:00:77',
      Gateway: '10.87.0.254',
    })
    expect(await run(fixed, 'ip', 'link', 'show', 'eth0')).toMatch(/mtu 1400[^]*02:00:00:00:00:77/)
    for (const name of ['fixed', 'db']) await answers(other, `${name}:8080`, 'fixed sees 10.87.0.1')
    expect(await network.inspect()).toMatchObject({
      Containers: { [fixed.id]: { IPv4Address: '10.87.0.77/24', MacAddress: '02:00:00:00:00:77' } },
    })
    await expect(start('twice', { HostConfig: { NetworkMode: 'front' }, MacAddress: 'no' })).rejects.toThrow(
      'invalid MAC address: no',
    )
    await remove(fixed, other)
    await network.remove()
    expect(machine.links()).not.toContain('front0')
  })

  test.runIf(hasNft)('networks are kept apart, and an internal one from everything', async () => {
    const [left, right] = [await docker.createNetwork({ Name: 'left' }), await docker.createNetwork({ Name: 'right' })]
    const inside = await docker.createNetwork({
      Name: 'inside',
      Internal: true,
      IPAM: { Driver: 'default', Config: [{ Subnet: '10.90.0.0/24' }] },
    })
    const containers = [
      await start('in-left', { HostConfig: { NetworkMode: 'left' } }),
      await start('in-right', { HostConfig: { NetworkMode: 'right' } }),
      await start('hidden', { HostConfig: { NetworkMode: 'inside' } }),
      await start('hidden-too', { HostConfig: { NetworkMode: 'inside' } }),
    ] as const
    const [inLeft, inRight, hidden, hiddenToo] = containers
    const address = (await endpointOf(inRight, 'right')).IPAddress
    await answers(inRight, 'localhost:8080', 'in-right sees 127.0.0.1')
    expect(await run(inLeft, ...ask(`${address}:8080`, 300))).toBe('TimeoutError')
    expect(await run(inLeft, 'cat', '/etc/hosts')).not.toContain('in-right')

    const secret = await endpointOf(hidden, 'inside')
    expect(secret.Gateway).toBe('')
    expect(await run(hidden, 'ip', 'route')).not.toContain('default')
    expect(await run(hidden, ...ask(`${address}:8080`))).toBe('ENETUNREACH')
    await answers(hiddenToo, 'hidden:8080', `hidden sees ${(await endpointOf(hiddenToo, 'inside')).IPAddress}`)
    // Not even by a route of its own making.
    const way = 'ip route add default via 10.90.0.1'
    const asked = await docker.createContainer({
      Image: 'node',
      Cmd: ['sh', '-c', `${way} && exec "$@"`, 'sh', ...ask(`${address}:8080`, 300)],
      HostConfig: { NetworkMode: 'inside', CapAdd: ['NET_ADMIN'] },
    })
    await asked.start()
    await asked.wait()
    expect((await asked.logs({ stdout: true })).toString()).toContain('TimeoutError')
    await remove(asked, ...containers)
    for (const network of [left, right, inside]) await network.remove()
  })

  test('a network whose containers may not talk to each other', async () => {
    const network = await docker.createNetwork({
      Name: 'strangers',
      Options: { 'com.docker.network.bridge.enable_icc': 'false' },
    })
    const here = { HostConfig: { NetworkMode: 'strangers' } }
    const [one, two] = [await start('one', here), await start('two', here)]
    const { IPAddress, Gateway } = await endpointOf(two, 'strangers')
    await eventually(() => machine.run(...ask(`${IPAddress}:8080`)) === `two sees ${Gateway}\n`)
    expect(await run(one, ...ask(`${IPAddress}:8080`, 300))).toBe('TimeoutError')
    await remove(one, two)
    await network.remove()
  })

  test('connect and disconnect, while it runs and while it does not', async () => {
    const network = await docker.createNetwork({ Name: 'second', IPAM: { Config: [{ Subnet: '10.88.0.0/16' }] } })
    const [mover, peer] = [await start('mover'), await start('peer', { HostConfig: { NetworkMode: 'second' } })]
    const names = async () => (await run(mover, 'ls', '/sys/class/net')).split(/\s+/)
    expect(await names()).toEqual(['eth0', 'lo'])
    await network.connect({ Container: mover.id, EndpointConfig: { Aliases: ['removal-van'] } })
    expect(await names()).toEqual(['eth0', 'eth1', 'lo'])
    const { IPAddress } = await endpointOf(mover, 'second')
    await answers(mover, 'peer:8080', `peer sees ${IPAddress}`)
    await answers(peer, 'removal-van:8080', `mover sees ${(await endpointOf(peer, 'second')).IPAddress}`)
    await expect(network.connect({ Container: mover.id })).rejects.toThrow('already exists in network second')

    await docker.getNetwork('bridge').disconnect({ Container: mover.id })
    expect(await names()).toEqual(['eth1', 'lo'])
    expect(await run(mover, 'ip', 'route')).toMatch(/^default via 10\.88\.0\.1 dev eth1/)
    await mover.stop({ t: 0 })
    await docker.getNetwork('bridge').connect({ Container: mover.id })
    await mover.start()
    expect(await names()).toEqual(['eth0', 'eth1', 'lo'])
    expect(await run(mover, 'ip', 'route')).toContain('default via 172.17.0.1 dev eth0')
    await network.disconnect({ Container: mover.id })
    expect(await names()).toEqual(['eth0', 'lo'])
    await remove(mover, peer)
    await network.remove()
  })

  /** Every address that a name has, from the name server, and not from a file. */
  const resolved = async (from: Docker.Container, name: string) =>
    (
      await run(
        from,
        'node',
        '-e',
        `require('dns').resolve4(process.argv[1], (error, all) => console.log(error?.code ?? all.sort().join()))`,
        name,
      )
    ).split(',')

  test.runIf(hasNft)('names are asked for at 127.0.0.11, on networks of one’s own', async () => {
    const network = await docker.createNetwork({ Name: 'named', IPAM: { Config: [{ Subnet: '10.92.0.0/24' }] } })
    const elsewhere = await docker.createNetwork({ Name: 'elsewhere' })
    const onNamed = (Aliases: string[]): Docker.ContainerCreateOptions => ({
      Cmd: sleep,
      HostConfig: { NetworkMode: 'named', Dns: ['10.92.0.53'] },
      NetworkingConfig: { EndpointsConfig: { named: { Aliases } } },
    })
    const db = await start('db-1', onNamed(['db']))
    const asker = await start('asker', onNamed([]))
    const stranger = await start('stranger', { Cmd: sleep, HostConfig: { NetworkMode: 'elsewhere' } })
    // Its own port 53, where nobody listens: what it does not know it learns at once.
    const plain = await start('plain', { Cmd: sleep, HostConfig: { Dns: ['127.0.0.1'] } })
    expect(await run(asker, 'cat', '/etc/resolv.conf')).toMatch(/^nameserver 127\.0\.0\.11\noptions .*ndots:0/)
    expect(await run(asker, 'cat', '/etc/hosts')).not.toContain('db-1')
    expect(await run(asker, 'getent', 'hosts', 'db')).toMatch(/^10\.92\.0\.2 +db$/)
    expect(await run(asker, 'getent', 'hosts', '10.92.0.2')).toMatch(/^10\.92\.0\.2 +db-1\.named$/)

    // Who joins and leaves is known and forgotten at once, several share an alias, and links are known to one alone.
    const two = await start('db-2', onNamed(['db']))
    expect(await resolved(asker, 'db')).toEqual(['10.92.0.2', '10.92.0.4'])
    const first = new Set<string>()
    await eventually(async () => {
      first.add((await run(asker, 'getent', 'hosts', 'db')).split(' ')[0] ?? '')
      return first.size === 2
    })
    await db.remove({ force: true })
    expect(await resolved(asker, 'db')).toEqual(['10.92.0.4'])
    expect(await resolved(asker, 'db-2.named')).toEqual(['10.92.0.4'])
    expect(await resolved(plain, 'db')).not.toEqual(['10.92.0.4'])
    await network.connect({ Container: plain.id, EndpointConfig: { Links: ['db-2:store'] } })
    expect(await resolved(plain, 'store')).toEqual(['10.92.0.4'])
    await network.disconnect({ Container: plain.id })
    expect(await run(plain, 'cat', '/etc/resolv.conf')).not.toContain('127.0.0.11')

    // Another network knows nothing of it, however it asks.
    expect(await resolved(stranger, 'db')).toEqual(['ENOTFOUND'])
    const port = machine.run('sh', '-c', 'ss -Hlun src 10.92.0.1').match(/10\.92\.0\.1:(\d+)/)?.[1]
    const direct = `const dns = require('dns'); const r = new dns.Resolver({ timeout: 200, tries: 1 }); r.setServers(['10.92.0.1:${port}'])
      r.resolve4('db', (error, all) => console.log(error?.code ?? all.join()))`
    expect(await run(asker, 'node', '-e', direct)).toBe('10.92.0.4')
    expect(await run(stranger, 'node', '-e', direct)).toBe('ETIMEOUT')
    expect(machine.run('node', '-e', direct)).toBe('ETIMEOUT\n')

    // A container may itself be a name server, at the port of one; --dns leads to it.
    const world = await start('world', {
      HostConfig: { NetworkMode: 'named' },
      NetworkingConfig: { EndpointsConfig: { named: { IPAMConfig: { IPv4Address: '10.92.0.53' } } } },
      Cmd: [
        'node',
        '-e',
        `const s = require('dgram').createSocket('udp4').bind(53, () => console.log('listening'))
         s.on('message', (q, from) => {
           q.writeUInt16BE(0x8180, 2); q.writeUInt16BE(1, 6); q.writeUInt16BE(0, 10)
           const end = q.indexOf(0, 12) + 5
           s.send(Buffer.concat([q.subarray(0, end), Buffer.from('c00c000100010000003c0004c0000201', 'hex')]), from.port, from.address)
         })`,
      ],
    })
    await eventually(async () => (await world.logs({ stdout: true })).toString().includes('listening'))
    expect(await resolved(asker, 'www.example.com')).toEqual(['192.0.2.1'])

    // The rules in a namespace outlive the runtime; the next one answers at the same place.
    await runtime.end('SIGKILL')
    await runtime.start()
    expect(await resolved(asker, 'db')).toEqual(['10.92.0.4'])
    expect(await run(asker, 'getent', 'hosts', 'world')).toMatch(/^10\.92\.0\.53 +world$/)
    await remove(two, asker, stranger, plain, world)
    for (const each of [network, elsewhere]) await each.remove()
  })

  test('a pod: containers in the network of a pause container', async () => {
    const pause = await start('pause', { Image: 'busybox', Cmd: sleep })
    const shared = { HostConfig: { NetworkMode: `container:${pause.id}` } }
    const [web, side] = [await start('pod-web', shared), await start('pod-side', { ...shared, Cmd: sleep })]
    await answers(side, 'localhost:8080', 'pod-web sees 127.0.0.1')
    expect(machine.run(...ask('172.17.0.2:8080'))).toBe('pod-web sees 172.17.0.1\n')
    const namespaces = await Promise.all([pause, web, side].map(networkNamespaceOf))
    expect(new Set(namespaces).size).toBe(1)
    expect(namespaces[0]).not.toBe(readlinkSync(machine.path))
    // Its address may be given away once the pause container is gone, so the others must not keep it.
    await pause.remove({ force: true })
    await eventually(async () => !(await run(side, 'ls', '/sys/class/net')).includes('eth0'))
    await remove(web, side)
    await eventually(() => !namespacesInUse().has(namespaces[0] ?? ''))
  })

  test('host, none, and a loopback network beside the bridges', async () => {
    const host = await start('host', { Cmd: sleep, HostConfig: { NetworkMode: 'host' } })
    expect(await networkNamespaceOf(host)).toBe(readlinkSync(machine.path))
    const none = await start('none', { Cmd: sleep, HostConfig: { NetworkMode: 'none' } })
    expect(await run(none, 'ls', '/sys/class/net')).toBe('lo')
    const node = await docker.createNetwork({
      Name: 'node-1',
      Driver: 'loopback',
      IPAM: { Config: [{ Subnet: '127.64.1.0/24' }] },
    })
    const pod = await start('pod', { HostConfig: { NetworkMode: 'node-1' }, Cmd: serve('pod', 8090) })
    expect(await networkNamespaceOf(pod)).toBe(readlinkSync(machine.path))
    expect(await endpointOf(pod, 'node-1')).toMatchObject({ IPAddress: '127.64.1.2', MacAddress: '' })
    await eventually(() => machine.run(...ask('127.64.1.2:8090')).startsWith('pod sees'))
    await expect(docker.getNetwork('bridge').connect({ Container: pod.id })).rejects.toThrow('it is a bridge network')
    await expect(node.connect({ Container: none.id })).rejects.toThrow('private (none) mode')
    await remove(host, none, pod)
    await node.remove()
  })

  test('kernel parameters of its network, and port 80 without privileges', async () => {
    const Sysctls = { 'net.ipv4.ip_default_ttl': '33' }
    const tuned = await start('tuned', { User: 'node', Cmd: serve('tuned', 80), HostConfig: { Sysctls } })
    expect(await run(tuned, 'cat', '/proc/sys/net/ipv4/ip_default_ttl')).toBe('33')
    expect(machine.run('cat', '/proc/sys/net/ipv4/ip_default_ttl')).not.toBe('33\n')
    await eventually(() => machine.run(...ask('172.17.0.2')) === 'tuned sees 172.17.0.1\n')
    await tuned.remove({ force: true })
    await expect(start('bad', { HostConfig: { NetworkMode: 'host', Sysctls } })).rejects.toThrow('not allowed')
  })

  test.runIf(hasNft)('what leaves the machine carries its address; nobody outside gets in', async () => {
    const outside = new NetworkNamespace()
    await outside.open()
    machine.run('ip', 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', outside.path)
    machine.run('ip', 'addr', 'add', '198.51.100.1/24', 'dev', 'wire')
    machine.run('ip', 'link', 'set', 'wire', 'up')
    outside.run('ip', 'addr', 'add', '198.51.100.2/24', 'dev', 'wire')
    outside.run('ip', 'link', 'set', 'wire', 'up')
    outside.run('ip', 'route', 'add', '172.17.0.0/16', 'via', '198.51.100.1')
    const [program = '', ...args] = [...outside.enter, ...serve('the world')]
    const server = spawn(program, args)
    const traveller = await start('traveller')
    await answers(traveller, '198.51.100.2:8080', 'the world sees 198.51.100.1')
    expect(outside.run(...ask('172.17.0.2:8080', 300))).toBe('TimeoutError\n')
    await traveller.remove({ force: true })
    server.kill('SIGKILL')
    machine.run('ip', 'link', 'del', 'wire')
    outside.close()
  })

  test('an address given again is reached at once, whatever MAC it had', async () => {
    for (const MacAddress of ['02:00:00:00:00:01', '02:00:00:00:00:02', '']) {
      const again = await start('again', { NetworkingConfig: { EndpointsConfig: { bridge: { MacAddress } } } })
      await answers(again, 'localhost:8080', 'again sees 127.0.0.1')
      expect(machine.run(...ask('172.17.0.2:8080'))).toBe('again sees 172.17.0.1\n')
      await again.remove({ force: true })
    }
  })

  test('kill -9 of the runtime: connections go on, and the next one knows every address', async () => {
    const survivor = await start('survivor')
    await answers(survivor, 'localhost:8080', 'survivor sees 127.0.0.1')
    const before = (await survivor.inspect()).NetworkSettings
    await runtime.end('SIGKILL')
    expect(machine.run(...ask('172.17.0.2:8080'))).toBe('survivor sees 172.17.0.1\n')
    await runtime.start()
    expect((await survivor.inspect()).NetworkSettings).toEqual(before)
    const next = await start('next')
    expect((await endpointOf(next, 'bridge')).IPAddress).toBe('172.17.0.3')
    await answers(next, '172.17.0.2:8080', 'survivor sees 172.17.0.3')
    await remove(survivor, next)
  })

  test('what a killed runtime left is removed by the next one', async () => {
    await docker.createNetwork({ Name: 'forgotten' })
    const orphan = await start('orphan', { HostConfig: { NetworkMode: 'forgotten' } })
    const { Pid } = (await orphan.inspect()).State
    await runtime.end('SIGKILL')
    process.kill(Pid, 'SIGKILL')
    await runtime.start()
    await eventually(async () => !(await orphan.inspect()).State.Running)
    await orphan.remove()
    // The bridge of a network that nobody is on is made again when it is needed.
    await runtime.end('SIGTERM')
    expect(machine.contents()).toEqual(untouched)
    await runtime.start()
    const back = await start('back', { HostConfig: { NetworkMode: 'forgotten' } })
    expect(machine.links()).toContain(`br-${(await docker.getNetwork('forgotten').inspect()).Id.slice(0, 12)}`)
    await back.remove({ force: true })
    await runtime.end('SIGKILL')
    await runtime.start()
    expect(machine.contents()).toEqual(untouched)
    await docker.getNetwork('forgotten').remove()
  })

  test('a runtime that stops leaves what running containers need, and nothing else', async () => {
    await docker.createNetwork({ Name: 'idle' })
    const stays = await start('stays')
    await runtime.end('SIGTERM')
    expect(machine.links().filter((name) => name.startsWith('br-'))).toHaveLength(1)
    expect(machine.run(...ask('172.17.0.2:8080'))).toBe('stays sees 172.17.0.1\n')
    await runtime.start()
    await stays.remove({ force: true })
    await docker.getNetwork('idle').remove()
    await runtime.end('SIGTERM')
    expect(machine.contents()).toEqual(untouched)
    await runtime.start()
  })

  test('two runtimes on one machine share no subnet', async () => {
    const other = new RuntimeProcess('--driver', 'linux')
    other.startedBy = machine.enter
    await other.start()
    const stream = await other.docker.pull('busybox')
    await new Promise((resolve) => other.docker.modem.followProgress(stream, resolve))
    const make = (engine: Docker, name: string) => engine.createContainer({ name, Image: 'busybox', Cmd: sleep })
    const [mine, theirs] = [await make(docker, 'mine'), await make(other.docker, 'theirs')]
    await Promise.all([mine.start(), theirs.start()])
    const addresses = [await endpointOf(mine, 'bridge'), await endpointOf(theirs, 'bridge')].map(
      ({ IPAddress }) => IPAddress,
    )
    expect(addresses.toSorted()).toEqual(['172.17.0.2', '172.18.0.2'])
    await expect(
      docker.createNetwork({ Name: 'clash', IPAM: { Config: [{ Subnet: '172.18.0.0/16' }] } }),
    ).rejects.toThrow('Pool overlaps with other one on this address space')
    await mine.remove({ force: true })
    await other.destroy()
  })

  test('docker info says what networks are made of', async () => {
    const info = (await docker.info()) as { DriverStatus: string[][]; Plugins: { Network: string[] } }
    expect(info.DriverStatus).toContainEqual(['Network mode', 'bridge'])
    expect(info.Plugins.Network).toEqual(['bridge', 'host', 'loopback', 'null'])
  })

  test.runIf(isInstalled('docker'))('the docker CLI', () => {
    expect(runtime.cli(['network', 'create', '--subnet', '10.89.0.0/24', 'cli'])).toMatchObject({ code: 0 })
    const run = ['run', '--rm', '--network', 'cli', '--ip', '10.89.0.9', '--mac-address', '02:00:00:00:00:09']
    const { stdout } = runtime.cli([...run, 'busybox', 'ip', '-br', 'addr', 'show', 'eth0'])
    expect(stdout).toMatch(/^eth0@if\d+\s+UP\s+10\.89\.0\.9\/24/)
    runtime.cli(['run', '-d', '--name', 'plain', 'busybox', ...sleep])
    runtime.cli(['network', 'connect', '--ip', '10.89.0.5', 'cli', 'plain'])
    expect(runtime.cli(['exec', 'plain', 'ip', '-br', 'addr', 'show', 'eth1']).stdout).toContain('10.89.0.5/24')
    expect(runtime.cli(['network', 'rm', 'cli']).stderr).toContain('has active endpoints')
    runtime.cli(['network', 'disconnect', 'cli', 'plain'])
    runtime.cli(['rm', '-f', 'plain'])
    expect(runtime.cli(['network', 'rm', 'cli']).stdout).toBe('cli\n')
  })
})

describe.runIf(missing === '')('where nft is missing', () => {
  test('bridges work, and docker info says what does not', async () => {
    const machine = new NetworkNamespace()
    await machine.open()
    const runtime = new RuntimeProcess('--driver', 'linux')
    // The runtime looks for its tools where this machine has them, whatever its PATH.
    const hide =
      'for nft in /usr/sbin/nft /usr/bin/nft; do [ ! -e $nft ] || mount --bind /dev/null $nft; done; exec "$@"'
    runtime.startedBy = [...machine.enter, 'unshare', '--mount', 'sh', '-c', hide, 'sh']
    machine.run('sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_forward')
    await runtime.start()
    const { Warnings } = (await runtime.docker.info()) as { Warnings: string[] }
    expect(Warnings.join('\n')).toContain('nft is not installed')
    await runtime.docker.createNetwork({ Name: 'some' })
    expect(machine.links().filter((name) => name.startsWith('br-'))).toHaveLength(1)
    expect(machine.run('cat', '/proc/sys/net/ipv4/ip_forward')).toBe('0\n')
    await runtime.destroy()
    expect(machine.links()).toEqual(['lo'])
    machine.close()
  })
})

async function networkNamespaceOf(container: Docker.Container): Promise<string> {
  return readlinkSync(`/proc/${(await container.inspect()).State.Pid}/ns/net`)
}

/** Those that some process of this machine lives in. */
function namespacesInUse(): Set<string> {
  return new Set(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          return readlinkSync(`/proc/${pid}/ns/net`)
        } catch {
          // It has just ended.
          return []
        }
      }),
  )
}
