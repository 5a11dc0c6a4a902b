import { describe, expect, test } from 'vitest'
import type { Project } from '../model.ts'
import { createBody } from '../spec.ts'
import { normalizeNetwork, normalizeVolume } from './normalize-resources.ts'
import { normalizeService } from './normalize.ts'

/**
 * Every key of the Compose specification, and what becomes of it. `works` is compared with what the engine is asked to
 * create; `model` with the service, where the engine is not who acts on it; `ignored` leaves no trace, as in compose
 * itself; `refused` is an error that names the key. A key that is on no list is an error, too: see the last tests.
 */
type Fate = { works: object } | { model: object } | 'ignored' | 'refused'

function host(fields: object): Fate {
  return { works: { HostConfig: fields } }
}
function works(fields: object): Fate {
  return { works: fields }
}
function model(fields: object): Fate {
  return { model: fields }
}

const serviceKeys: [key: string, value: unknown, fate: Fate][] = [
  ['annotations', { a: 'b' }, host({ Annotations: { a: 'b' } })],
  ['attach', false, model({ attach: false })],
  ['blkio_config', { weight: 1 }, 'refused'],
  [
    'build',
    { context: '/x', ulimits: { nofile: 5 } },
    model({ build: { context: '/x', ulimits: { nofile: { soft: 5 } } } }),
  ],
  ['cap_add', ['NET_ADMIN'], host({ CapAdd: ['NET_ADMIN'] })],
  ['cap_drop', ['ALL'], host({ CapDrop: ['ALL'] })],
  ['cgroup', 'host', host({ CgroupnsMode: 'host' })],
  ['cgroup_parent', 'p', host({ CgroupParent: 'p' })],
  ['command', 'a "b c"', works({ Cmd: ['a', 'b c'] })],
  ['configs', ['c'], model({ configs: [{ source: 'c', target: '/c' }] })],
  ['container_name', 'own', model({ container_name: 'own' })],
  ['cpu_count', 1, 'refused'],
  ['cpu_percent', 1, 'refused'],
  ['cpu_period', 100_000, host({ CpuPeriod: 100_000 })],
  ['cpu_quota', 50_000, host({ CpuQuota: 50_000 })],
  ['cpu_rt_period', 1, 'refused'],
  ['cpu_rt_runtime', 1, 'refused'],
  ['cpu_shares', 512, host({ CpuShares: 512 })],
  ['cpus', '0.5', host({ NanoCpus: 500_000_000 })],
  ['cpuset', '0-1', host({ CpusetCpus: '0-1' })],
  ['credential_spec', { file: 'x' }, 'refused'],
  ['depends_on', ['db'], works({ Labels: { 'com.docker.compose.depends_on': 'db:service_started:false' } })],
  ['deploy', { replicas: 2 }, model({ replicas: 2 })],
  ['develop', { watch: [] }, 'ignored'],
  ['device_cgroup_rules', ['c 1:1 r'], host({ DeviceCgroupRules: ['c 1:1 r'] })],
  ['devices', ['/dev/null:/dev/x:r'], host({ Devices: [{ PathInContainer: '/dev/x', CgroupPermissions: 'r' }] })],
  ['dns', '1.1.1.1', host({ Dns: ['1.1.1.1'] })],
  ['dns_opt', ['ndots:1'], host({ DnsOptions: ['ndots:1'] })],
  ['dns_search', 'a.test', host({ DnsSearch: ['a.test'] })],
  ['domainname', 'd', works({ Domainname: 'd' })],
  ['entrypoint', ['x'], works({ Entrypoint: ['x'] })],
  ['env_file', 'f.env', works({ Env: ['OF_FILE=1'] })],
  ['environment', { A: 1 }, works({ Env: ['A=1'] })],
  ['expose', ['80'], works({ ExposedPorts: { '80/tcp': {} } })],
  ['external_links', ['x'], 'refused'],
  ['extra_hosts', { h: '1.2.3.4' }, host({ ExtraHosts: ['h:1.2.3.4'] })],
  ['gpus', 'all', 'refused'],
  ['group_add', ['7'], host({ GroupAdd: ['7'] })],
  ['healthcheck', { test: 'x', interval: '1s' }, works({ Healthcheck: { Test: ['CMD-SHELL', 'x'], Interval: 1e9 } })],
  ['hostname', 'h', works({ Hostname: 'h' })],
  ['image', 'me/app', works({ Image: 'me/app' })],
  ['init', true, host({ Init: true })],
  ['ipc', 'service:db', host({ IpcMode: 'container:shop-db-1' })],
  ['isolation', 'process', 'refused'],
  ['label_file', 'f.env', works({ Labels: { OF_FILE: '1' } })],
  ['labels', ['a=b'], works({ Labels: { a: 'b' } })],
  ['links', ['db:x'], model({ depends_on: { db: { restart: true } } })],
  ['logging', { driver: 'none' }, host({ LogConfig: { Type: 'none' } })],
  ['mac_address', '02:42:ac:11:00:02', model({ networks: { default: { mac_address: '02:42:ac:11:00:02' } } })],
  ['mem_limit', '64m', host({ Memory: 64 * 2 ** 20 })],
  ['mem_reservation', '32m', host({ MemoryReservation: 32 * 2 ** 20 })],
  ['mem_swappiness', 10, host({ MemorySwappiness: 10 })],
  ['memswap_limit', '128m', host({ MemorySwap: 128 * 2 ** 20 })],
  ['models', ['m'], 'refused'],
  ['network_mode', 'service:db', host({ NetworkMode: 'container:shop-db-1' })],
  ['networks', ['n'], host({ NetworkMode: 'shop_n' })],
  ['oom_kill_disable', true, host({ OomKillDisable: true })],
  ['oom_score_adj', 5, host({ OomScoreAdj: 5 })],
  ['pid', 'host', host({ PidMode: 'host' })],
  ['pids_limit', 9, host({ PidsLimit: 9 })],
  ['platform', 'linux/arm64', model({ platform: 'linux/arm64' })],
  ['ports', ['8080:80'], host({ PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } })],
  ['post_start', [{ command: 'x' }], 'refused'],
  ['pre_stop', [{ command: 'x' }], 'refused'],
  ['privileged', true, host({ Privileged: true })],
  ['profiles', ['p'], model({ profiles: ['p'] })],
  ['provider', { type: 'x' }, 'refused'],
  ['pull_policy', 'always', model({ pull_policy: 'always' })],
  ['read_only', true, host({ ReadonlyRootfs: true })],
  ['restart', 'on-failure:3', host({ RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } })],
  ['runtime', 'r', host({ Runtime: 'r' })],
  ['scale', 3, model({ replicas: 3 })],
  ['secrets', ['s'], model({ secrets: [{ source: 's', target: '/run/secrets/s' }] })],
  ['security_opt', ['no-new-privileges'], host({ SecurityOpt: ['no-new-privileges'] })],
  ['shm_size', '1m', host({ ShmSize: 2 ** 20 })],
  ['stdin_open', true, works({ OpenStdin: true })],
  ['stop_grace_period', '1m', works({ StopTimeout: 60 })],
  ['stop_signal', 'SIGINT', works({ StopSignal: 'SIGINT' })],
  ['storage_opt', { size: '1G' }, host({ StorageOpt: { size: '1G' } })],
  ['sysctls', { 'net.x': 1 }, host({ Sysctls: { 'net.x': '1' } })],
  ['tmpfs', '/t:size=1m', host({ Tmpfs: { '/t': 'size=1m' } })],
  ['tty', true, works({ Tty: true })],
  ['ulimits', { nofile: 9 }, host({ Ulimits: [{ Name: 'nofile', Soft: 9, Hard: 9 }] })],
  ['use_api_socket', true, 'refused'],
  ['user', 'me', works({ User: 'me' })],
  ['userns_mode', 'host', host({ UsernsMode: 'host' })],
  ['uts', 'host', host({ UTSMode: 'host' })],
  ['volumes', ['/a:/b:rshared'], host({ Mounts: [{ Source: '/a', BindOptions: { Propagation: 'rshared' } }] })],
  ['volumes_from', ['db:ro'], host({ VolumesFrom: ['shop-db-1:ro'] })],
  ['working_dir', '/w', works({ WorkingDir: '/w' })],
  ['x-anything', { a: 1 }, 'ignored'],
]

const context = { env: {}, readEnvFile: () => ({ OF_FILE: '1' }) }

function service(tree: Record<string, unknown>) {
  return normalizeService('web', { image: 'app', ...tree }, context)
}

function created(tree: Record<string, unknown>): Record<string, unknown> {
  const project: Project = {
    name: 'shop',
    directory: '/shop',
    files: [],
    services: { db: normalizeService('db', { image: 'app' }, context) },
    disabled: [],
    networks: { n: normalizeNetwork('n', {}, 'shop'), default: normalizeNetwork('default', {}, 'shop') },
    volumes: {},
    secrets: {},
    configs: {},
  }
  return createBody(project, service(tree), { number: 1, imageId: 'i' })
}

test.each(serviceKeys)('services.web.%s', (key, value, fate) => {
  if (fate === 'refused') expect(() => service({ [key]: value })).toThrow(`services.web.${key} is not supported`)
  else if (fate === 'ignored') expect(created({ [key]: value })).toEqual(created({}))
  else if ('model' in fate) expect(service({ [key]: value })).toMatchObject(fate.model)
  else expect(created({ [key]: value })).toMatchObject(fate.works)
})

describe('nested keys', () => {
  const nested: [what: string, tree: Record<string, unknown>, fate: 'refused' | 'ignored' | object][] = [
    ...['driver_opts', 'gw_priority', 'interface_name', 'ipv6_address', 'link_local_ips'].map(
      (key): [string, Record<string, unknown>, 'refused'] => [key, { networks: { n: { [key]: 'x' } } }, 'refused'],
    ),
    ...['additional_contexts', 'entitlements', 'isolation', 'privileged', 'ssh'].map(
      (key): [string, Record<string, unknown>, 'refused'] => [key, { build: { context: '/x', [key]: 'x' } }, 'refused'],
    ),
    [
      'recursive',
      { volumes: [{ type: 'bind', source: '/a', target: '/b', bind: { recursive: 'disabled' } }] },
      'refused',
    ],
    [
      'image',
      { volumes: [{ type: 'image', source: 'data', target: '/b', image: { subpath: 'x' } }] },
      { HostConfig: { Mounts: [{ Type: 'image', Source: 'data', ImageOptions: { Subpath: 'x' } }] } },
    ],
    ['labels', { volumes: [{ type: 'volume', target: '/b', volume: { labels: { a: 'b' } } }] }, 'refused'],
    ['devices', { deploy: { resources: { reservations: { devices: [] } } } }, 'refused'],
    ['generic_resources', { deploy: { resources: { reservations: { generic_resources: [] } } } }, 'refused'],
    ...['mode', 'endpoint_mode', 'labels', 'placement', 'rollback_config', 'update_config'].map(
      (key): [string, Record<string, unknown>, 'ignored'] => [key, { deploy: { [key]: 'x' } }, 'ignored'],
    ),
    [
      'limits',
      { deploy: { resources: { limits: { cpus: '1', memory: '1m', pids: 5 }, reservations: { memory: '1k' } } } },
      { HostConfig: { NanoCpus: 1e9, Memory: 2 ** 20, PidsLimit: 5, MemoryReservation: 1024 } },
    ],
    [
      'restart_policy',
      { deploy: { restart_policy: { condition: 'on-failure', max_attempts: 2, delay: '1s', window: '1s' } } },
      { HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } } },
    ],
  ]
  test.each(nested)('%s of %j', (key, tree, fate) => {
    if (fate === 'refused') expect(() => service(tree)).toThrow(new RegExp(`${key} is not supported`))
    else if (fate === 'ignored') expect(created(tree)).toEqual(created({}))
    else expect(created(tree)).toMatchObject(fate)
  })
})

test.each([
  ['networks', 'ipam.options', () => normalizeNetwork('n', { ipam: { options: { a: 'b' } } }, 'shop')],
  [
    'networks',
    'aux_addresses',
    () => normalizeNetwork('n', { ipam: { config: [{ aux_addresses: { a: '1.2.3.4' } }] } }, 'shop'),
  ],
])('%s: %s is refused', (_section, key, make) => {
  expect(make).toThrow(`${key} is not supported`)
})

test.each<[string, () => unknown]>([
  ['a service', () => service({ imgae: 'x' })],
  ['deploy', () => service({ deploy: { replicsa: 1 } })],
  ['limits', () => service({ deploy: { resources: { limits: { cpu: 1 } } } })],
  ['build', () => service({ build: { contxt: '.' } })],
  ['a port', () => service({ ports: [{ target: 80, publishd: 80 }] })],
  ['a secret', () => service({ secrets: [{ source: 's', traget: 't' }] })],
  ['a secret of a build', () => service({ build: { context: '.', secrets: [{ source: 's', traget: 't' }] } })],
  ['a dependency', () => service({ depends_on: { db: { conditon: 'service_healthy' } } })],
  ['a file of variables', () => service({ env_file: [{ path: 'f.env', requierd: false }] })],
  ['a log', () => service({ logging: { drivr: 'none' } })],
  ['a limit', () => service({ ulimits: { nofile: { sfot: 1 } } })],
  ['an endpoint', () => service({ networks: { n: { alias: 'x' } } })],
  ['a health check', () => service({ healthcheck: { tset: 'x' } })],
  ['a mount', () => service({ volumes: [{ type: 'bind', source: '/a', target: '/b', bind: { create: true } }] })],
  ['a network', () => normalizeNetwork('n', { drivr: 'x' }, 'shop')],
  ['a network’s pool', () => normalizeNetwork('n', { ipam: { config: [{ sbnet: 'x' }] } }, 'shop')],
  ['a volume', () => normalizeVolume('v', { drivr: 'x' }, 'shop')],
])('a key of %s that nobody knows is an error', (_where, make) => {
  expect(make).toThrow(/additional properties '\w+' not allowed/)
})
