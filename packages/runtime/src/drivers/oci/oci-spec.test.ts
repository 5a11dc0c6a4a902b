import { describe, expect, test } from 'vitest'
import type { Mount } from '../../snapshots/mount.ts'
import type { ContainerSpec, ProcessSpec } from '../driver.ts'
import { allCapabilities } from '../linux/capabilities.ts'
import type { DeviceNode } from './devices.ts'
import { capabilitiesIn, ociConfigOf, ociJson, ociProcessOf, ociResourcesOf, type Circumstances } from './oci-spec.ts'

const spec: ContainerSpec = {
  id: 'c1',
  rootfs: { layers: ['/l1'], hostBase: false, dir: '/c/rootfs' },
  runDir: '/c/run',
  process: { args: ['sh'], env: ['PATH=/bin'], cwd: '/', user: '' },
  mounts: [],
  hostname: 'box',
  stdin: 'null',
}
const circumstances: Circumstances = {
  root: '/d/rootfs',
  identity: { uid: 1000, gid: 100, groups: [7, 8], home: '/home/me' },
  mounts: [],
  devices: [],
  cgroupsPath: '/dinghy-1/c1',
  cgroupVersion: 1,
  canLimitSwap: true,
  capabilities: new Set(allCapabilities),
  seccomp: undefined,
  hooks: {},
}
const fuse: DeviceNode = {
  path: '/dev/fuse',
  type: 'c',
  major: 10,
  minor: 229,
  fileMode: 0o600,
  uid: 0,
  gid: 0,
  permissions: 'rw',
}

interface Config {
  root: object
  hostname?: string
  mounts: { destination: string; type: string; source: string; options: string[] }[]
  linux: {
    namespaces: { type: string; path?: string }[]
    resources: { devices: object[] }
    devices: object[]
    sysctl: object
    maskedPaths: string[]
    readonlyPaths: string[]
    seccomp?: object
  }
}
function config(change: Partial<ContainerSpec> = {}, more: Partial<Circumstances> = {}) {
  return ociConfigOf({ ...spec, ...change }, { ...circumstances, ...more }) as Config
}
function mountAt(path: string, { mounts }: Config) {
  return mounts.filter(({ destination }) => destination === path)
}

describe('namespaces', () => {
  const types = (change: Partial<ContainerSpec>, more: Partial<Circumstances> = {}) =>
    config(change, more).linux.namespaces.map(({ type, path }) => (path === undefined ? type : `${type}=${path}`))

  test.each<[string, ContainerSpec['namespaces'], string[]]>([
    ['by default all but the network', undefined, ['mount', 'pid', 'ipc', 'uts']],
    ['a network of its own', { network: 'private' }, ['mount', 'pid', 'ipc', 'uts', 'network']],
    ["the machine's", { pid: 'host', ipc: 'host', uts: 'host' }, ['mount']],
    [
      "another container's",
      { pid: { pid: 7 }, network: { pid: 7 } },
      ['mount', 'pid=/proc/7/ns/pid', 'ipc', 'uts', 'network=/proc/7/ns/net'],
    ],
    ['one that a file holds', { network: { path: '/run/n' } }, ['mount', 'pid', 'ipc', 'uts', 'network=/run/n']],
  ])('%s', (_name, namespaces, expected) => {
    expect(types(namespaces ? { namespaces } : {})).toEqual(expected)
  })

  test('cgroups version 2 is seen from its own place', () => {
    expect(types({}, { cgroupVersion: 2 })).toContain('cgroup')
  })

  test("who shares the machine's names does not change them", () => {
    expect(config()).toMatchObject({ hostname: 'box' })
    expect(config({ namespaces: { uts: 'host' } })).not.toHaveProperty('hostname')
    expect(types({ hostname: '' })).not.toContain('uts')
  })
})

describe('mounts', () => {
  test('what every container has', () => {
    expect(config().mounts.map(({ destination }) => destination)).toEqual([
      '/proc',
      '/dev',
      '/dev/pts',
      '/sys',
      '/sys/fs/cgroup',
      '/dev/mqueue',
      '/dev/shm',
    ])
    expect(mountAt('/dev/shm', config({ shmSizeBytes: 1024 }))[0]?.options).toContain('size=1024')
    expect(mountAt('/dev/shm', config({ namespaces: { ipc: 'host' } }))[0]).toMatchObject({
      type: 'bind',
      source: '/dev/shm',
    })
  })

  test("the user's come last and take the place of the usual ones", () => {
    const own: Mount[] = [
      { type: 'bind', source: '/shm', target: '/dev/shm', readOnly: true },
      { type: 'tmpfs', source: '', target: '/t', readOnly: false, options: 'size=1m,mode=1777' },
    ]
    const made = config({}, { mounts: own })
    expect(mountAt('/dev/shm', made)).toEqual([
      { destination: '/dev/shm', type: 'bind', source: '/shm', options: ['rbind', 'rprivate', 'ro'] },
    ])
    expect(made.mounts.at(-1)).toEqual({
      destination: '/t',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['size=1m', 'mode=1777', 'rw'],
    })
    const dev: Mount[] = [{ type: 'bind', source: '/dev', target: '/dev', readOnly: false }]
    expect(config({}, { mounts: dev }).mounts.map(({ destination }) => destination)).toEqual([
      '/proc',
      '/sys',
      '/sys/fs/cgroup',
      '/dev',
    ])
  })

  test('a privileged container sees the kernel as it is', () => {
    const usual = config()
    expect(mountAt('/sys', usual)[0]?.options).toContain('ro')
    expect(usual.linux.maskedPaths).toContain('/proc/kcore')
    expect(usual.linux.readonlyPaths).toContain('/proc/sys')
    const privileged = config({ process: { ...spec.process, privileged: true } })
    expect(mountAt('/sys', privileged)[0]?.options).not.toContain('ro')
    expect(privileged.linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] })
  })
})

test('devices: a node, and a rule that lets it work', () => {
  const { linux } = config({}, { devices: [fuse] })
  expect(linux.devices).toEqual([
    { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 0, gid: 0 },
  ])
  expect(linux.resources.devices).toEqual([
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
  ])
  const privileged = config({ process: { ...spec.process, privileged: true } }, { devices: [fuse] })
  expect(privileged.linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }])
})

test('parameters, read-only root, seccomp', () => {
  const made = config({ domainname: 'example.org', sysctls: { 'kernel.msgmax': '9000' }, readOnlyRoot: true })
  expect(made.linux.sysctl).toEqual({ 'kernel.domainname': 'example.org', 'kernel.msgmax': '9000' })
  expect(made.root).toEqual({ path: '/d/rootfs', readonly: true })
  expect(made.linux).not.toHaveProperty('seccomp')
  const filter = { defaultAction: 'SCMP_ACT_ALLOW', architectures: [], syscalls: [] }
  expect(config({}, { seccomp: filter }).linux.seccomp).toBe(filter)
})

test.each<[string, Parameters<typeof ociResourcesOf>, object]>([
  ['none', [{}, true], {}],
  ['swap defaults to as much again', [{ memoryBytes: 100 }, true], { memory: { limit: 100, swap: 200 } }],
  ['unlimited swap', [{ memoryBytes: 100, memorySwapBytes: -1 }, true], { memory: { limit: 100, swap: -1 } }],
  ['no swap accounting', [{ memoryBytes: 100, memorySwapBytes: 150 }, false], { memory: { limit: 100 } }],
  ['CPUs', [{ nanoCpus: 1.5e9 }, true], { cpu: { quota: 150_000, period: 100_000 } }],
  [
    'a quota, shares, a set, processes',
    [{ cpuQuotaUs: 5000, cpuPeriodUs: 10_000, cpuShares: 512, cpusetCpus: '0-1', pids: 20 }, true],
    { cpu: { quota: 5000, period: 10_000, shares: 512, cpus: '0-1' }, pids: { limit: 20 } },
  ],
  ['-1 processes are no limit', [{ pids: -1 }, true], {}],
])('resources: %s', (_name, [resources, canLimitSwap], expected) => {
  expect(ociResourcesOf(resources, canLimitSwap)).toEqual(expected)
})

describe('process', () => {
  const of = (change: Partial<ProcessSpec>, more: Partial<ContainerSpec> = {}, had = circumstances.capabilities) =>
    ociProcessOf({ ...spec.process, ...change }, { ...spec, ...more }, { ...circumstances, capabilities: had })

  test('who it is', () => {
    expect(of({})).toMatchObject({
      terminal: false,
      user: { uid: 1000, gid: 100, additionalGids: [7, 8], umask: 0o022 },
      env: ['PATH=/bin', 'HOME=/home/me'],
      noNewPrivileges: false,
    })
    expect(of({ env: ['HOME=/x'] })).toMatchObject({ env: ['HOME=/x'] })
  })

  test('a terminal and its size', () => {
    expect(of({ tty: true, consoleSize: [24, 80] })).toMatchObject({
      terminal: true,
      consoleSize: { height: 24, width: 80 },
    })
    expect(of({ tty: true, consoleSize: [0, 0] })).not.toHaveProperty('consoleSize')
  })

  test('capabilities, of which nobody gives what he has not got', () => {
    const few = ['CAP_CHOWN', 'CAP_KILL']
    const none: string[] = []
    expect(of({ capDrop: ['ALL'], capAdd: ['KILL', 'CHOWN'] })).toMatchObject({
      capabilities: { bounding: few, permitted: few, effective: few, inheritable: none, ambient: none },
    })
    expect(of({ privileged: true }, {}, new Set(['CHOWN', 'KILL']))).toMatchObject({ capabilities: { bounding: few } })
  })

  test('limits of 64 bits survive JSON, and a text that looks like one is left alone', () => {
    const ulimits = [{ name: 'core', soft: 5, hard: -1 }]
    const json = ociJson(of({ env: ['A="\\u00005"', '\\u00006'] }, { ulimits, oomScoreAdj: 500 }))
    expect(json).toMatch(/"type": "RLIMIT_CORE",\s+"soft": 5,\s+"hard": 18446744073709551615\s/)
    expect(JSON.parse(json)).toMatchObject({ env: ['A="\\u00005"', '\\u00006', 'HOME=/home/me'], oomScoreAdj: 500 })
  })
})

test('a mask of capabilities', () => {
  expect([...capabilitiesIn(0b100001n)]).toEqual(['CHOWN', 'KILL'])
  expect([...capabilitiesIn(1n << 40n)]).toEqual(['CHECKPOINT_RESTORE'])
})
