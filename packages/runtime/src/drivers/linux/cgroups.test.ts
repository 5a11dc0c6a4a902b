import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ownCgroups } from './cgroup-hierarchies.ts'
import { Cgroups, type Hierarchy } from './cgroups.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroups-'))
})
afterEach(() => rmSync(root, { recursive: true }))

test('/proc/self/cgroup of a mixed machine', () => {
  const own = ownCgroups('4:memory:/jail/x\n2:cpu,cpuacct:/\n1:name=systemd:/init\n0::/user.slice\n')
  expect([own.get('memory'), own.get('cpuacct'), own.get('')]).toEqual(['/jail/x', '/', '/user.slice'])
})

test('what still runs is killed, in whichever hierarchy it is', async () => {
  const cgroups = new Cgroups(
    ['a', 'b'].map((name) => ({ version: 1, parent: join(root, name), controllers: ['pids'] })),
  )
  cgroups.create('c1', {})
  const child = spawn('sleep', ['1000'])
  writeFileSync(join(root, 'b/c1/cgroup.procs'), `${child.pid}\n`)
  const exited = once(child, 'exit')
  cgroups.kill('c1')
  expect(await exited).toEqual([null, 'SIGKILL'])
  // The kernel's file would not name it any more; this one does.
  expect(() => cgroups.kill('c1')).not.toThrow()
})

test('what is killed is frozen before, and thawed to die', async () => {
  const cgroups = new Cgroups([{ version: 1, parent: root, controllers: ['freezer'] }])
  cgroups.create('c1', {})
  const child = spawn('sleep', ['1000'])
  writeFileSync(join(root, 'c1/cgroup.procs'), `${child.pid}\n`)
  cgroups.kill('c1')
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
  expect(readFileSync(join(root, 'c1/freezer.state'), 'utf8')).toBe('THAWED')
})

test.each<Hierarchy>([
  { version: 1, parent: '', controllers: ['freezer'] },
  { version: 2, parent: '', controllers: [] },
])('one that ends while it is frozen is no error, version $version', (hierarchy) => {
  const cgroups = new Cgroups([{ ...hierarchy, parent: root }])
  expect(() => cgroups.freeze('gone', true)).not.toThrow()
})

test('who joins by itself writes to `tasks` of version 1, and to `cgroup.procs` of version 2', () => {
  const hierarchies: Hierarchy[] = [
    { version: 1, parent: join(root, 'memory'), controllers: ['memory'] },
    { version: 2, parent: join(root, 'v2'), controllers: ['pids'] },
  ]
  const cgroups = new Cgroups(hierarchies, [
    { version: 1, parent: join(root, 'blkio'), controllers: [], entrance: 'tasks' },
    { version: 2, parent: join(root, 'unified'), controllers: [], entrance: 'cgroup.threads' },
    { version: 2, parent: join(root, 'other'), controllers: [], entrance: 'cgroup.procs' },
  ])
  cgroups.create('c1', {})
  // Below the limits, and where there are none in a cgroup of its own.
  expect(cgroups.entrances('c1')).toEqual({
    tasks: ['memory/c1/program/tasks', 'blkio/c1/tasks', 'unified/c1/cgroup.threads'].map((path) => join(root, path)),
    procs: ['v2/c1/program/cgroup.procs', 'other/c1/cgroup.procs'].map((path) => join(root, path)),
  })
})

test('other CPUs for a program that runs, in version 1', () => {
  const parent = join(root, 'dinghy')
  const cgroups = new Cgroups([{ version: 1, parent, controllers: ['cpuset'] }])
  cgroups.create('c1', {})
  writeFileSync(join(parent, 'cpuset.cpus'), '0-3')
  cgroups.entrances('c1')
  writeFileSync(join(parent, 'c1/program/cpuset.cpus'), '0')
  cgroups.limit('c1', { cpusetCpus: '1' })
  expect(['c1', 'c1/program'].map((path) => readFileSync(join(parent, path, 'cpuset.cpus'), 'utf8'))).toEqual([
    '1',
    '1',
  ])
})

test('a version 2 hierarchy', () => {
  const cgroups = new Cgroups([{ version: 2, parent: root, controllers: ['memory', 'cpu'] }])
  mkdirSync(join(root, 'c1'))
  cgroups.create('c1', { memoryBytes: 2 ** 20, nanoCpus: 1e9 })
  expect(readFileSync(join(root, 'c1/memory.max'), 'utf8')).toBe('1048576')
  expect(readFileSync(join(root, 'c1/cpu.max'), 'utf8')).toBe('100000 100000')
  expect(() => cgroups.limit('c1', { pids: 5 })).toThrow(
    'cannot limit processes: the pids cgroup controller is not available',
  )
  expect(cgroups.missing).toEqual(['cpuset', 'pids'])
  writeFileSync(join(root, 'c1/memory.events'), 'low 0\noom 1\noom_kill 3\n')
  writeFileSync(join(root, 'c1/cpu.stat'), 'usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\n')
  writeFileSync(join(root, 'c1/memory.current'), '777\n')
  writeFileSync(join(root, 'c1/cgroup.procs'), '12\n13\n')
  expect(cgroups.oomKills('c1')).toBe(3)
  expect(cgroups.pids('c1')).toEqual([12, 13])
  expect(cgroups.usage('c1')).toMatchObject({
    cpuNanos: 5e6,
    cpuUserNanos: 3e6,
    memoryBytes: 777,
    memoryLimitBytes: 1048576,
  })
  expect(cgroups.ids()).toEqual(['c1'])
})

test('version 1 keeps every controller in a hierarchy of its own', () => {
  for (const name of ['memory', 'cpuacct', 'pids']) mkdirSync(join(root, name, 'c1'), { recursive: true })
  const cgroups = new Cgroups(
    (['memory', 'cpuacct', 'pids'] as const).map((name) => ({
      version: 1,
      parent: join(root, name),
      controllers: [name],
    })),
  )
  cgroups.create('c1', { memoryBytes: 2 ** 20, pids: 9 })
  expect(readFileSync(join(root, 'memory/c1/memory.limit_in_bytes'), 'utf8')).toBe('1048576')
  expect(readFileSync(join(root, 'pids/c1/pids.max'), 'utf8')).toBe('9')
  writeFileSync(join(root, 'memory/c1/memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n')
  writeFileSync(join(root, 'cpuacct/c1/cpuacct.usage'), '123456\n')
  writeFileSync(join(root, 'cpuacct/c1/cpuacct.stat'), 'user 10\nsystem 5\n')
  expect(cgroups.oomKills('c1')).toBe(1)
  expect(cgroups.usage('c1')).toMatchObject({ cpuNanos: 123456, cpuUserNanos: 1e8, cpuKernelNanos: 5e7, pidsLimit: 9 })
  expect(cgroups.mounts('c1').map(({ target }) => target)).toEqual([
    '/sys/fs/cgroup/memory',
    '/sys/fs/cgroup/cpuacct',
    '/sys/fs/cgroup/pids',
  ])
})
