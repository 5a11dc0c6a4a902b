import { expect, test } from 'vitest'
import type { ContainerSpec, ProcessSpec } from '../driver.ts'
import { rootFstabOf } from '../../snapshots/overlay/root-fstab.ts'
import { dropCommand, fstabOf, limitCommand, preludeOf, type MountPlan } from './launch.ts'

const base = {
  rootfs: '/d/rootfs',
  tools: '/d/tools',
  init: '/d/init',
  host: '/d/host',
  lowers: '/d/lowers',
  hostDirectories: ['usr'],
  nodePrefix: undefined,
}
const plan: MountPlan = {
  base,
  rootfs: { layers: ['/l1'], hostBase: false, dir: '/c/rootfs' },
  lowerLinks: '/d/lowers/l1',
  lowerCount: 2,
  hostOverlays: [],
  mounts: [],
  scratch: '/c/run/tmpfs',
  readOnlyRoot: false,
  isVolatile: false,
  privileged: false,
  shmSizeBytes: 1024,
  tty: false,
  masked: [
    { path: '/proc/keys', directory: false },
    { path: '/sys/firmware', directory: true },
  ],
  readonly: ['/proc/sys'],
  devices: [],
  cgroups: [],
}
function lines(change: Partial<MountPlan>) {
  return fstabOf({ ...plan, ...change })
    .trim()
    .split('\n')
}
const rootDirectory = '/d/rootfs'

test('the root is an overlay of short relative names', () => {
  expect(lines({}).slice(0, 1)).toEqual([
    `overlay ${rootDirectory} overlay lowerdir=0:1,upperdir=../../../c/rootfs/upper,workdir=../../../c/rootfs/work,index=off,redirect_dir=off,metacopy=off 0 0`,
  ])
})

test('what is thrown away after its run is not written out', () => {
  expect(lines({ isVolatile: true })[0]).toContain(',metacopy=off,volatile 0 0')
})

test("a host base puts this machine's /usr below the layers that have one", () => {
  const [, usr] = lines({ hostOverlays: [{ name: 'usr', lowers: [1] }], readOnlyRoot: true })
  expect(usr).toBe(
    `overlay ${rootDirectory}/usr overlay lowerdir=1/usr:/usr,upperdir=../../../c/rootfs/upper/usr,workdir=../../../c/rootfs/work-usr,index=off,redirect_dir=off,metacopy=off,ro 0 0`,
  )
})

test('masked and read-only paths, unless privileged', () => {
  expect(lines({})).toContain(`/dev/null ${rootDirectory}/proc/keys none bind 0 0`)
  expect(lines({})).toContain(`tmpfs ${rootDirectory}/sys/firmware tmpfs ro,size=0 0 0`)
  expect(lines({})).toContain(`${rootDirectory}/proc/sys ${rootDirectory}/proc/sys none bind,ro 0 0`)
  const privileged = lines({ privileged: true })
  expect(privileged.filter((line) => line.includes('/proc/keys') || line.includes('/proc/sys'))).toEqual([])
  expect(privileged).toContain(`sysfs ${rootDirectory}/sys sysfs nosuid,nodev,noexec 0 0`)
})

test("the privileged have this machine's devices below a /dev of their own, writable even with a read-only root", () => {
  const [root, dev] = lines({
    privileged: true,
    readOnlyRoot: true,
    hostOverlays: [{ name: 'dev', lowers: [0] }],
  })
  expect(root).toMatch(/,ro 0 0$/)
  expect(dev).toBe(
    `overlay ${rootDirectory}/dev overlay lowerdir=0/dev:/dev,upperdir=../../../c/rootfs/upper/dev,workdir=../../../c/rootfs/work-dev,index=off,redirect_dir=off,metacopy=off 0 0`,
  )
})

test('in a user namespace copies of mounts bring what lies below, and keep their options', () => {
  const nested = {
    shares: { pid: false, ipc: false, network: true },
    hasTtyGroup: false,
    kept: (path: string) => (path === '/my' ? ',nodev' : ''),
  }
  const mounts = [{ type: 'bind' as const, source: '/my', target: '/data', readOnly: true }]
  const all = lines({ nested, mounts })
  expect(all[0]).toMatch(/,index=off,userxattr 0 0$/)
  expect(all).toContain('/d/tools /d/tools none bind,ro 0 0')
  expect(all).toContain(`/dev/null ${rootDirectory}/dev/null none bind 0 0`)
  expect(all).toContain(`${rootDirectory}/proc/sys ${rootDirectory}/proc/sys none rbind,ro 0 0`)
  expect(all.at(-1)).toBe(`/my ${rootDirectory}/data none rbind,ro,nodev 0 0`)
})

test('a view has the root and nothing else', () => {
  expect(rootFstabOf(plan).trim().split('\n')).toEqual(lines({}).slice(0, 1))
})

test('mounts come last and in order, with blanks escaped', () => {
  const mounts = [
    { type: 'bind' as const, source: '/my dir', target: '/data', readOnly: true },
    { type: 'tmpfs' as const, source: '', target: '/tmp', readOnly: false, options: 'size=1m' },
  ]
  expect(lines({ mounts }).slice(-2)).toEqual([
    `/my\\040dir ${rootDirectory}/data none rbind,ro 0 0`,
    `tmpfs ${rootDirectory}/tmp tmpfs size=1m 0 0`,
  ])
})

test('what lies in a tmpfs gets a directory there, which nobody else can have replaced', () => {
  const bind = { type: 'bind' as const, readOnly: false }
  const tmpfs = { type: 'tmpfs' as const, source: '', readOnly: false, options: 'mode=755' }
  const mounts = [
    { ...bind, source: '/v', target: '/v' },
    { ...tmpfs, target: '/t' },
    { ...bind, source: '/x', target: '/t/x' },
    { ...tmpfs, target: '/v/alone' },
    { ...tmpfs, target: '/v/t' },
    { ...bind, source: '/w', target: '/v/t/w' },
    { ...tmpfs, target: '/v/t/w/t' },
    { ...tmpfs, target: '/v/t/w/t/deep' },
  ]
  expect(lines({ mounts }).slice(-10)).toEqual([
    `/v ${rootDirectory}/v none rbind 0 0`,
    `tmpfs ${rootDirectory}/t tmpfs mode=755 0 0`,
    `/x ${rootDirectory}/t/x none rbind,X-mount.mkdir 0 0`,
    `tmpfs ${rootDirectory}/v/alone tmpfs mode=755 0 0`,
    'tmpfs /c/run/tmpfs/4 tmpfs mode=755,X-mount.mkdir 0 0',
    '/w /c/run/tmpfs/4/w none rbind,X-mount.mkdir 0 0',
    'tmpfs /c/run/tmpfs/6 tmpfs mode=755,X-mount.mkdir 0 0',
    'tmpfs /c/run/tmpfs/6/deep tmpfs mode=755,X-mount.mkdir 0 0',
    '/c/run/tmpfs/6 /c/run/tmpfs/4/w/t none rbind 0 0',
    `/c/run/tmpfs/4 ${rootDirectory}/v/t none rbind 0 0`,
  ])
})

test('later mounts of this machine come into the binds that ask for them, and into no others', () => {
  const bind = { type: 'bind' as const, readOnly: false }
  const mounts = [
    { ...bind, source: '/a', target: '/a', propagation: 'rslave' as const },
    { ...bind, source: '/b', target: '/b' },
  ]
  expect(lines({ mounts }).slice(-2)).toEqual([
    `/a ${rootDirectory}/a none rbind 0 0`,
    `/b ${rootDirectory}/b none rbind,rprivate 0 0`,
  ])
})

test('a program on a terminal keeps the devpts that the terminal comes from', () => {
  expect(lines({ tty: true })).toContain(`/dev/pts ${rootDirectory}/dev/pts none bind 0 0`)
  expect(
    preludeOf({ ...spec, process: { ...spec.process, tty: true } }, noCommand, '/c', noCgroups, false, 7),
  ).toContain('owner=7\n')
})

const spec: ContainerSpec = {
  id: 'c1',
  rootfs: plan.rootfs,
  runDir: '/c/run',
  process: { args: ['sh'], env: [], cwd: '/', user: '' },
  mounts: [],
  hostname: "it's",
  stdin: 'null',
}

const noCommand = { words: [], variables: {} }
const noCgroups = { tasks: [], procs: [] }

test('the prelude', () => {
  expect(
    preludeOf(
      { ...spec, domainname: 'example.org', oomScoreAdj: 500, sysctls: { 'kernel.msgmax': '9000' } },
      { words: ['setpriv', "it's"], variables: { given1: "A='" } },
      '/d/lowers/l1',
      { tasks: ['/v1/a', '/v1/b'], procs: ['/v2/c'] },
    ),
  ).toBe(
    `cd '/d/lowers/l1'
for file in '/v2/c'; do echo 1 >"$file" || exit 1; done &
joining=$!
join_cgroups() { for file in '/v1/a' '/v1/b'; do echo 0 >"$file" || exit 1; done; }
echo 'it'\\''s' >/proc/sys/kernel/hostname
echo 'example.org' >/proc/sys/kernel/domainname
echo 500 >"/proc/$pid/oom_score_adj"
echo '9000' >'/proc/sys/kernel/msgmax'
export given1='A='\\'''
umask 0022
set -- 'setpriv' 'it'\\''s'
`,
  )
})

test('who shares a pid namespace joins the cgroups by itself', () => {
  const cgroups = { tasks: [], procs: ['/v2/c'] }
  expect(preludeOf({ ...spec, namespaces: { pid: 'host' } }, noCommand, '/d/lowers/l1', cgroups)).toContain(
    'do echo 0 >"$file" || exit 1; done\n',
  )
})

test('names in a user namespace take programs, and who may not lower oom_score_adj goes without', () => {
  const lines = preludeOf(
    { ...spec, domainname: 'example.org', oomScoreAdj: -5 },
    noCommand,
    '/d/lowers/l1',
    noCgroups,
    true,
  )
  expect(lines).toContain("hostname 'it'\\''s'\ndomainname 'example.org'\n")
  expect(lines).toContain('echo -5 >"/proc/$pid/oom_score_adj" || :\n')
})

test('a network namespace of its own has a loopback device that is up', () => {
  expect(preludeOf({ ...spec, namespaces: { network: 'private' } }, noCommand, '/c/rootfs', noCgroups)).toContain(
    'ip link set lo up',
  )
  expect(preludeOf({ ...spec, namespaces: { network: { pid: 7 } } }, noCommand, '/c/rootfs', noCgroups)).not.toContain(
    'ip link',
  )
})

test('one that is plugged in is set up while it mounts', () => {
  const eth0 = {
    name: 'eth0',
    port: 'veth1',
    bridge: 'br-a',
    mac: '02:42:0a:00:00:02',
    address: '10.0.0.2/8',
    mtu: 1500,
  }
  const prelude = preludeOf(
    { ...spec, namespaces: { network: 'private' }, interfaces: [eth0] },
    noCommand,
    '/c/rootfs',
    noCgroups,
  )
  expect(prelude).toMatch(/\nlinking=\$!\ncd '\/c\/rootfs'\n/)
  expect(prelude).not.toContain('ip link set lo up')
})

test('ulimits', () => {
  expect(limitCommand()).toEqual([])
  expect(limitCommand([{ name: 'nofile', soft: 10, hard: -1 }])).toEqual(['prlimit', '--nofile=10:unlimited', '--'])
})

const tools = { setpriv: '/bin/setpriv', env: '/bin/env', envSplits: true, unshare: '/bin/unshare' }
const identity = { uid: 1000, gid: 100, groups: [7, 8], home: '/' }
function drop(change: Partial<ProcessSpec>, hasEnv = true) {
  return dropCommand(
    { args: ['node', 'x y.js'], env: ['PATH=/bin', 'A=1'], cwd: '/app', user: '', ...change },
    identity,
    '/bin/node',
    tools,
    hasEnv,
  )
}

test('privileges are shed first, then comes the environment, then the root directory and the user', () => {
  expect(drop({ capDrop: ['ALL'], capAdd: ['CHOWN'], noNewPrivileges: true }).words).toEqual([
    '/bin/setpriv',
    '--inh-caps=-all,+sys_chroot,+setuid',
    '--',
    '/bin/setpriv',
    '--securebits=+noroot,+noroot_locked',
    '--bounding-set=-all,+chown',
    '--ambient-caps=-all,+sys_chroot,+setuid',
    '--regid=100',
    '--groups=7,8',
    '--no-new-privs',
    '--',
    '/bin/env',
    '-i',
    '-S',
    '-- ${given1} ${given2}',
    '/bin/unshare',
    '--root=.',
    '--wd=/app',
    '--setuid=1000',
    '--',
    'node',
    'x y.js',
  ])
})

test('the values of variables are no words of the command', () => {
  const { words, variables } = drop({ env: ['PATH=/bin', 'PASSWORD=secret'] })
  expect(words.join(' ')).not.toContain('secret')
  expect(variables).toEqual({ given1: 'PATH=/bin', given2: 'PASSWORD=secret' })
})

test('variables of the dynamic loader reach the program only', () => {
  const { words: command, variables } = drop({ env: ['LD_PRELOAD=/x.so', 'PATH=/bin'] })
  expect(variables).toEqual({ given1: 'PATH=/bin' })
  expect(command.indexOf('LD_PRELOAD=/x.so')).toBe(command.indexOf('/usr/bin/env') + 1)
  expect(command.indexOf('/usr/bin/env')).toBeGreaterThan(command.indexOf('/bin/unshare'))
  expect(() => drop({ env: ['LD_PRELOAD=/x.so'] }, false)).toThrow('need an /usr/bin/env in the image')
})

test('an ordinary user with the usual capabilities, and root with none, need no detour', () => {
  const flags = drop({}).words.slice(0, 3)
  expect(flags[1]).toMatch(/^--bounding-set=-all,.*\+setuid,.*\+sys_chroot,/)
  expect(flags[2]).toBe('--inh-caps=-all')
  const root = dropCommand(
    { args: ['x'], env: [], cwd: '/', user: '', capDrop: ['ALL'] },
    { ...identity, uid: 0 },
    '/bin/x',
    tools,
    true,
  )
  expect(root.words.slice(0, 3)).toEqual(['/bin/setpriv', '--bounding-set=-all,+sys_chroot', '--inh-caps=-all'])
})

test('a privileged container keeps its capabilities', () => {
  expect(drop({ privileged: true }).words.join(' ')).not.toContain('--bounding-set')
})

test('without the right to choose groups they are kept', () => {
  const program = { args: ['x'], env: [], cwd: '/', user: '' }
  const command = dropCommand(program, identity, '/bin/x', tools, true, false).words
  expect(command).toContain('--keep-groups')
  expect(command.join(' ')).not.toContain('--groups=')
})
