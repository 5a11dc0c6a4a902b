/**
 * Every option of the docker CLI as the JSON that it sends: it works (inspect or the driver shows it), is refused with
 * a sentence, or is ignored as Docker ignores it. The lists of options are those of docker 28.2's --help.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DockerError } from '@dinghy/shared/docker/errors'
import { newEngine } from '../testing/engine.ts'

let house: Awaited<ReturnType<typeof newEngine>>
beforeAll(async () => {
  house = await newEngine()
  await house.lifecycle.start(await house.create(['serve'], {}, 'other'))
  house.networks.create({ Name: 'mine', Driver: 'loopback' })
})
afterAll(() => house.close())

type Outcome = { inspect: object } | { spec: object } | { refused: string } | 'ignored, as Docker does'
const ignored = 'ignored, as Docker does'
function host(HostConfig: object) {
  return { HostConfig }
}
function endpoint(settings: object) {
  return {
    HostConfig: { NetworkMode: 'mine' },
    NetworkingConfig: { EndpointsConfig: { mine: settings } },
  }
}
function kept(HostConfig: object): [object, Outcome] {
  return [host(HostConfig), { inspect: { HostConfig } }]
}
function config(Config: object): [object, Outcome] {
  return [Config, { inspect: { Config } }]
}
function refusedFor(HostConfig: object, refused: string): [object, Outcome] {
  return [host(HostConfig), { refused }]
}

/** Options of the CLI's own: what it does with them is not the engine's business. */
const client =
  'cidfile detach detach-keys disable-content-trust env-file help label-file pull quiet sig-proxy use-api-socket'

const create: Record<string, [body: object, outcome: Outcome]> = {
  'add-host': kept({ ExtraHosts: ['a:1.2.3.4'] }),
  annotation: kept({ Annotations: { a: 'b' } }),
  attach: config({ AttachStdout: true }),
  'blkio-weight': refusedFor({ BlkioWeight: 300 }, 'block IO weight'),
  'blkio-weight-device': refusedFor({ BlkioWeightDevice: [{ Path: '/dev/x', Weight: 1 }] }, 'block IO weight'),
  'cap-add': [host({ CapAdd: ['NET_ADMIN'] }), { spec: { process: { capAdd: ['NET_ADMIN'] } } }],
  'cap-drop': [host({ CapDrop: ['ALL'] }), { spec: { process: { capDrop: ['ALL'] } } }],
  'cgroup-parent': refusedFor({ CgroupParent: '/x' }, 'a cgroup parent'),
  cgroupns: refusedFor({ CgroupnsMode: 'host' }, 'invalid cgroup namespace mode'),
  'cpu-count': [host({ CpuCount: 2 }), ignored],
  'cpu-percent': [host({ CpuPercent: 2 }), ignored],
  'cpu-period': [host({ CpuPeriod: 5000 }), { spec: { resources: { cpuPeriodUs: 5000 } } }],
  'cpu-quota': [host({ CpuQuota: 5000 }), { spec: { resources: { cpuQuotaUs: 5000 } } }],
  'cpu-rt-period': refusedFor({ CpuRealtimePeriod: 1 }, 'real-time CPU'),
  'cpu-rt-runtime': refusedFor({ CpuRealtimeRuntime: 1 }, 'real-time CPU'),
  'cpu-shares': [host({ CpuShares: 512 }), { spec: { resources: { cpuShares: 512 } } }],
  cpus: [host({ NanoCpus: 5e8 }), { spec: { resources: { nanoCpus: 5e8 } } }],
  'cpuset-cpus': [host({ CpusetCpus: '0' }), { spec: { resources: { cpusetCpus: '0' } } }],
  'cpuset-mems': refusedFor({ CpusetMems: '0' }, 'memory nodes'),
  device: [
    host({ Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/n', CgroupPermissions: 'r' }] }),
    { spec: { devices: [{ source: '/dev/null', target: '/dev/n', permissions: 'r' }] } },
  ],
  'device-cgroup-rule': refusedFor({ DeviceCgroupRules: ['c 1:1 r'] }, 'device cgroup rules'),
  'device-read-bps': refusedFor({ BlkioDeviceReadBps: [{ Path: '/x', Rate: 1 }] }, 'block IO rates'),
  'device-read-iops': refusedFor({ BlkioDeviceReadIOps: [{ Path: '/x', Rate: 1 }] }, 'block IO rates'),
  'device-write-bps': refusedFor({ BlkioDeviceWriteBps: [{ Path: '/x', Rate: 1 }] }, 'block IO rates'),
  'device-write-iops': refusedFor({ BlkioDeviceWriteIOps: [{ Path: '/x', Rate: 1 }] }, 'block IO rates'),
  dns: kept({ Dns: ['1.1.1.1'] }),
  'dns-option': kept({ DnsOptions: ['ndots:1'] }),
  'dns-search': kept({ DnsSearch: ['a.b'] }),
  domainname: [{ Domainname: 'a.b' }, { spec: { domainname: 'a.b' } }],
  entrypoint: [{ Entrypoint: ['cat'], Cmd: ['x'] }, { spec: { process: { args: ['cat', 'x'] } } }],
  env: [{ Env: ['A=1'] }, { spec: { process: { env: expect.arrayContaining(['A=1']) } } }],
  expose: config({ ExposedPorts: { '80/tcp': {} } }),
  gpus: refusedFor({ DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }] }, 'could not select device driver'),
  'group-add': [host({ GroupAdd: ['7'] }), { spec: { process: { groupAdd: ['7'] } } }],
  'health-cmd': config({ Healthcheck: { Test: ['CMD-SHELL', 'true'] } }),
  'health-interval': config({ Healthcheck: { Test: ['CMD', 'x'], Interval: 1e9 } }),
  'health-retries': config({ Healthcheck: { Test: ['CMD', 'x'], Retries: 2 } }),
  'health-start-interval': config({ Healthcheck: { Test: ['CMD', 'x'], StartInterval: 1e9 } }),
  'health-start-period': config({ Healthcheck: { Test: ['CMD', 'x'], StartPeriod: 1e9 } }),
  'health-timeout': config({ Healthcheck: { Test: ['CMD', 'x'], Timeout: 1e9 } }),
  hostname: [{ Hostname: 'me' }, { spec: { hostname: 'me' } }],
  init: [host({ Init: true }), { spec: { init: true } }],
  interactive: [{ OpenStdin: true, StdinOnce: true }, { spec: { stdin: 'once' } }],
  'io-maxbandwidth': [host({ IOMaximumBandwidth: 5 }), ignored],
  'io-maxiops': [host({ IOMaximumIOps: 5 }), ignored],
  ip: [
    endpoint({ IPAMConfig: { IPv4Address: '1.2.3.4' } }),
    { inspect: { NetworkSettings: { Networks: { mine: { IPAMConfig: { IPv4Address: '1.2.3.4' } } } } } },
  ],
  ip6: [endpoint({ IPAMConfig: { IPv6Address: 'fd00::2' } }), { refused: 'there is no IPv6 here' }],
  ipc: [host({ IpcMode: 'host' }), { spec: { namespaces: { ipc: 'host' } } }],
  isolation: refusedFor({ Isolation: 'hyperv' }, 'invalid isolation'),
  'kernel-memory': [host({ KernelMemory: 5e7 }), ignored],
  label: config({ Labels: { a: 'b' } }),
  link: kept({ Links: ['other:o'] }),
  'link-local-ip': [endpoint({ IPAMConfig: { LinkLocalIPs: ['169.254.1.1'] } }), { refused: 'link-local addresses' }],
  'log-driver': refusedFor({ LogConfig: { Type: 'syslog' } }, "no log driver named 'syslog'"),
  'log-opt': kept({ LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', labels: 'a' } } }),
  'mac-address': config({ MacAddress: '02:42:00:00:00:07' }),
  memory: [host({ Memory: 2 ** 25 }), { spec: { resources: { memoryBytes: 2 ** 25 } } }],
  'memory-reservation': [
    host({ MemoryReservation: 2 ** 25 }),
    { spec: { resources: { memoryReservationBytes: 2 ** 25 } } },
  ],
  'memory-swap': [
    host({ Memory: 2 ** 25, MemorySwap: 2 ** 26 }),
    { spec: { resources: { memoryBytes: 2 ** 25, memorySwapBytes: 2 ** 26 } } },
  ],
  'memory-swappiness': [host({ MemorySwappiness: 5 }), ignored],
  mount: [
    host({ Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 5 } }] }),
    { spec: { mounts: expect.arrayContaining([expect.objectContaining({ type: 'tmpfs', target: '/t' })]) } },
  ],
  network: [host({ NetworkMode: 'mine' }), { inspect: { NetworkSettings: { Networks: { mine: {} } } } }],
  'network-alias': [
    endpoint({ Aliases: ['al'] }),
    { inspect: { NetworkSettings: { Networks: { mine: { DNSNames: expect.arrayContaining(['al']) } } } } },
  ],
  'no-healthcheck': config({ Healthcheck: { Test: ['NONE'] } }),
  'oom-kill-disable': [host({ OomKillDisable: true }), ignored],
  'oom-score-adj': [host({ OomScoreAdj: 5 }), { spec: { oomScoreAdj: 5 } }],
  pid: [host({ PidMode: 'host' }), { spec: { namespaces: { pid: 'host' } } }],
  'pids-limit': [host({ PidsLimit: 50 }), { spec: { resources: { pids: 50 } } }],
  privileged: [host({ Privileged: true }), { spec: { process: { privileged: true } } }],
  publish: kept({ PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } }),
  'publish-all': kept({ PublishAllPorts: true }),
  'read-only': [host({ ReadonlyRootfs: true }), { spec: { readOnlyRoot: true } }],
  restart: kept({ RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } }),
  rm: kept({ AutoRemove: true }),
  runtime: refusedFor({ Runtime: 'runsc' }, 'unknown or invalid runtime name: runsc'),
  'security-opt': [host({ SecurityOpt: ['no-new-privileges'] }), { spec: { process: { noNewPrivileges: true } } }],
  'shm-size': [host({ ShmSize: 2 ** 20 }), { spec: { shmSizeBytes: 2 ** 20 } }],
  'stop-signal': config({ StopSignal: 'SIGQUIT' }),
  'stop-timeout': config({ StopTimeout: 3 }),
  'storage-opt': refusedFor({ StorageOpt: { size: '1G' } }, '--storage-opt is not supported'),
  sysctl: [host({ Sysctls: { 'kernel.shmmax': '5' } }), { spec: { sysctls: { 'kernel.shmmax': '5' } } }],
  tmpfs: [
    host({ Tmpfs: { '/t': 'size=1m' } }),
    { spec: { mounts: expect.arrayContaining([expect.objectContaining({ type: 'tmpfs', target: '/t' })]) } },
  ],
  tty: [{ Tty: true }, { spec: { process: { tty: true } } }],
  ulimit: [
    host({ Ulimits: [{ Name: 'nofile', Soft: 5, Hard: 6 }] }),
    { spec: { ulimits: [{ name: 'nofile', soft: 5, hard: 6 }] } },
  ],
  user: [{ User: '7:8' }, { spec: { process: { user: '7:8' } } }],
  userns: refusedFor({ UsernsMode: 'private' }, 'invalid user namespace mode'),
  uts: [host({ UTSMode: 'host' }), { spec: { namespaces: { uts: 'host' } } }],
  volume: [host({ Binds: ['data:/d:ro'] }), { inspect: { Mounts: [{ Name: 'data', Destination: '/d', RW: false }] } }],
  'volume-driver': refusedFor({ VolumeDriver: 'nfs' }, 'a volume driver'),
  'volumes-from': refusedFor({ VolumesFrom: ['other:zz'] }, 'invalid mode for volumes-from: zz'),
  workdir: [{ WorkingDir: '/w' }, { spec: { process: { cwd: '/w' } } }],
}

/** Sent by other clients than the CLI, or for parts of its options. */
const more: Record<string, [body: object, outcome: Outcome]> = {
  NetworkDisabled: [{ NetworkDisabled: true }, { inspect: { HostConfig: { NetworkMode: 'none' } } }],
  'type=image of --mount': [
    host({ Mounts: [{ Type: 'image', Source: 'data', Target: '/i', ImageOptions: { Subpath: 'etc' } }] }),
    {
      spec: {
        mounts: expect.arrayContaining([
          { type: 'bind', source: expect.stringMatching(/\/etc$/), target: '/i', readOnly: true },
        ]),
      },
    },
  ],
  'driver-opt of --network': [
    endpoint({ DriverOpts: { 'com.docker.network.endpoint.sysctls': 'a=1' } }),
    { refused: 'com.docker.network.endpoint.sysctls is not supported' },
  ],
  systempaths: refusedFor({ MaskedPaths: [], ReadonlyPaths: [] }, 'systempaths=unconfined'),
  KernelMemoryTCP: refusedFor({ KernelMemoryTCP: 5 }, 'KernelMemoryTCP is not supported'),
}

test.each(Object.entries({ ...create, ...more }))('create: %s', async (name, [body, outcome]) => {
  const made = house.engine.json<{ Id: string; Warnings: string[] }>('POST', '/containers/create', {
    body: { Image: 'box', Cmd: ['serve'], ...body },
  })
  if (outcome !== ignored && 'refused' in outcome) {
    const error = await made.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(DockerError)
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining(outcome.refused) })
    return
  }
  const { Id, Warnings } = await made
  const isDiscarded = name === 'oom-kill-disable' || name === 'memory-swappiness'
  expect(Warnings).toHaveLength(isDiscarded ? 1 : 0)
  if (outcome === ignored) return
  if ('inspect' in outcome)
    return expect(await house.engine.json('GET', `/containers/${Id}/json`)).toMatchObject(outcome.inspect)
  const container = house.containers.get(Id)
  await house.lifecycle.start(container)
  expect(house.driver.runs.at(-1)?.spec).toMatchObject(outcome.spec)
  await house.lifecycle.remove(container, { force: true, volumes: true })
})

const runHelp =
  'add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries health-start-interval health-start-period health-timeout help hostname init interactive io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish publish-all pull quiet read-only restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty ulimit use-api-socket user userns uts volume volume-driver volumes-from workdir'

/** The name and the platform are in the query; both have tests of their own. */
const ofCreate = [...Object.keys(create), ...client.split(' '), 'name', 'platform']

test('no option of run is missing above', () => {
  expect(runHelp.split(' ').filter((name) => !ofCreate.includes(name))).toEqual([])
})

const network: Record<string, [body: object, refused?: string]> = {
  attachable: [{ Attachable: true }],
  'aux-address': [{ IPAM: { Config: [{ Subnet: '127.77.0.0/24', AuxiliaryAddresses: { a: '127.77.0.9' } }] } }],
  'config-from': [{ ConfigFrom: { Network: 'x' } }, 'configuration-only networks are not supported'],
  'config-only': [{ ConfigOnly: true }, 'configuration-only networks are not supported'],
  driver: [{ Driver: 'macvlan' }, 'could not find plugin macvlan'],
  gateway: [{ IPAM: { Config: [{ Subnet: '127.78.0.0/24', Gateway: '127.78.0.7' }] } }],
  'gateway alone': [{ IPAM: { Config: [{ Gateway: '127.78.0.7' }] } }, 'needs a subnet'],
  ingress: [{ Ingress: true }, 'there is no swarm'],
  internal: [{ Internal: true }],
  'ip-range': [{ IPAM: { Config: [{ Subnet: '127.79.0.0/24', IPRange: '127.79.0.128/25' }] } }],
  'ipam-driver': [{ IPAM: { Driver: 'dhcp' } }, 'the IPAM driver dhcp is not supported'],
  'ipam-opt': [{ IPAM: { Driver: 'default', Options: { a: 'b' } } }],
  ipv4: [{ EnableIPv4: false }, 'IPv4 cannot be disabled'],
  ipv6: [{ EnableIPv6: true }, 'IPv6 is not supported'],
  label: [{ Labels: { a: 'b' } }],
  opt: [{ Options: { 'com.docker.network.bridge.enable_icc': 'false', other: 'x' } }],
  'opt that Docker knows': [{ Options: { 'com.docker.network.bridge.host_binding_ipv4': '1.2.3.4' } }, 'not supported'],
  'opt mtu': [{ Options: { 'com.docker.network.driver.mtu': 'big' } }, 'invalid MTU big'],
  'opt name': [{ Options: { 'com.docker.network.bridge.name': 'a/b' } }, 'invalid name of a bridge'],
  scope: [{ Scope: 'swarm' }, 'there is no swarm'],
  subnet: [{ IPAM: { Config: [{ Subnet: '127.80.0.0/24' }] } }],
  'two subnets': [{ IPAM: { Config: [{ Subnet: '127.81.0.0/24' }, { Subnet: '127.82.0.0/24' }] } }, 'multiple subnets'],
}

test.each(Object.entries(network))('network create: %s', async (name, [body, refused]) => {
  const sent = { Name: name.replaceAll(' ', '-'), Driver: 'bridge', ...body }
  const made = house.engine.json('POST', '/networks/create', { body: sent })
  if (refused !== undefined) return expect(made).rejects.toThrow(refused)
  await made
  expect(await house.engine.json('GET', `/networks/${sent.Name}`)).toMatchObject(sent)
})

const volume: Record<string, [body: object, refused?: string]> = {
  driver: [{ Driver: 'nfs' }, 'plugin "nfs" not found'],
  label: [{ Labels: { a: 'b' } }],
  opt: [{ DriverOpts: { type: 'nfs', o: 'addr=1.2.3.4', device: ':/x' } }, 'serves bind mounts only'],
  'opt device': [{ DriverOpts: { type: 'none', o: 'bind', device: 'relative' } }, 'serves bind mounts only'],
  'availability, group, … of cluster volumes': [{ ClusterVolumeSpec: { Group: 'x' } }, 'cluster volumes'],
}

test.each(Object.entries(volume))('volume create: %s', async (name, [body, refused]) => {
  const sent = { Name: name.replaceAll(/\W+/g, '-'), Driver: 'local', ...body }
  const made = house.engine.json('POST', '/volumes/create', { body: sent })
  if (refused !== undefined) return expect(made).rejects.toThrow(refused)
  expect(await made).toMatchObject(sent)
})

test.each<[string, object, object]>([
  ['env', { Env: ['A=1'] }, { env: expect.arrayContaining(['A=1']) }],
  ['privileged', { Privileged: true }, { privileged: true }],
  ['tty', { Tty: true, ConsoleSize: [5, 6] }, { tty: true, consoleSize: [5, 6] }],
  ['user', { User: '7' }, { user: '7' }],
  ['workdir', { WorkingDir: '/w' }, { cwd: '/w' }],
])('exec: %s', async (_name, body, expected) => {
  const exec = { Cmd: ['exit', '0'], AttachStdout: true, ...body }
  const { Id } = await house.engine.json<{ Id: string }>('POST', '/containers/other/exec', { body: exec })
  await house.engine.text('POST', `/exec/${Id}/start`, { body: { Detach: true } })
  expect(house.driver.execs.at(-1)?.process).toMatchObject(expected)
})

/** Options of builds: what becomes of their parameters is tested in image-routes.test.ts. */
const build =
  'add-host build-arg cache-from cgroup-parent compress cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems disable-content-trust file force-rm iidfile isolation label memory memory-swap network no-cache platform pull quiet rm security-opt shm-size squash tag target ulimit'
/** Of `network connect`: each is a setting of the endpoint, in the table of create, but for the first two. */
const connect = 'alias gw-priority driver-opt ip ip6 link link-local-ip'
const cluster =
  'availability group limit-bytes required-bytes scope secret sharing topology-preferred topology-required type'

function helpOf(command: string): string {
  return execFileSync('docker', [...command.split(' '), '--help'], {
    encoding: 'utf8',
    env: { ...process.env, DOCKER_BUILDKIT: '0' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

const version = spawnSync('docker', ['--version'], { encoding: 'utf8' }).stdout ?? ''
test.runIf(version.startsWith('Docker version 28.')).each([
  ['run', ofCreate],
  ['create', ofCreate],
  ['build', build.split(' ')],
  ['exec', [...client.split(' '), 'env', 'interactive', 'privileged', 'tty', 'user', 'workdir']],
  ['network create', Object.keys(network)],
  ['network connect', connect.split(' ')],
  ['network disconnect', ['force']],
  ['volume create', [...Object.keys(volume), ...cluster.split(' '), 'name']],
])('the docker CLI of this machine has no option of %s that is missing here', (command, known) => {
  const options = [...helpOf(command).matchAll(/^ +(?:-\w, )?--([a-z0-9-]+)/gm)].map(([, name]) => name)
  expect(options.length).toBeGreaterThan(0)
  expect(options.filter((name) => name !== 'help' && !known.includes(name ?? ''))).toEqual([])
})
