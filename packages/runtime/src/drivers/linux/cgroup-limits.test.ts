import { expect, test } from 'vitest'
import type { Resources } from '../driver.ts'
import { discardUnenforceable, limitWrites, weightOf } from './cgroup-limits.ts'

function writes(resources: Resources, version: 1 | 2) {
  return limitWrites(resources, () => version).map(({ file, value }) => `${file}=${value}`)
}
const mb = 2 ** 20

test.each<[string, Resources, string[], string[]]>([
  ['nothing', {}, [], []],
  [
    'memory',
    { memoryBytes: 64 * mb },
    ['memory.memsw.limit_in_bytes=-1', `memory.limit_in_bytes=${64 * mb}`, `memory.memsw.limit_in_bytes=${128 * mb}`],
    [`memory.max=${64 * mb}`, `memory.swap.max=${64 * mb}`],
  ],
  [
    'memory, no swap',
    { memoryBytes: mb, memorySwapBytes: mb },
    ['memory.memsw.limit_in_bytes=-1', `memory.limit_in_bytes=${mb}`, `memory.memsw.limit_in_bytes=${mb}`],
    [`memory.max=${mb}`, 'memory.swap.max=0'],
  ],
  ['half a CPU', { nanoCpus: 5e8 }, ['cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=50000'], ['cpu.max=50000 100000']],
  [
    'quota',
    { cpuQuotaUs: 2000, cpuPeriodUs: 10_000 },
    ['cpu.cfs_period_us=10000', 'cpu.cfs_quota_us=2000'],
    ['cpu.max=2000 10000'],
  ],
  ['shares', { cpuShares: 1024 }, ['cpu.shares=1024'], ['cpu.weight=39']],
  ['processes', { pids: 20 }, ['pids.max=20'], ['pids.max=20']],
  ['unlimited processes', { pids: -1 }, [], []],
  ['cpuset', { cpusetCpus: '0-1' }, ['cpuset.cpus=0-1'], ['cpuset.cpus=0-1']],
])('%s', (_name, resources, v1, v2) => {
  expect(writes(resources, 1)).toEqual(v1)
  expect(writes(resources, 2)).toEqual(v2)
})

test('shares to weight, at both ends', () => {
  expect([weightOf(2), weightOf(262_144), weightOf(0), weightOf(10 ** 9)]).toEqual([1, 10_000, 1, 10_000])
})

test('limits without a controller are discarded, each with a warning', () => {
  const asked = { memoryBytes: 5 * mb, memorySwapBytes: 6 * mb, nanoCpus: 1e9, cpuShares: 512, pids: 7 }
  expect(discardUnenforceable(asked, () => true)).toEqual({ resources: asked, warnings: [] })
  const { resources, warnings } = discardUnenforceable(asked, (controller) => controller === 'pids')
  expect(resources).toEqual({ pids: 7 })
  expect(warnings).toEqual([
    'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
    'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
    'Your kernel does not support CPU CFS scheduler or the cgroup is not mounted. Quota discarded.',
  ])
  expect(discardUnenforceable({}, () => false).warnings).toEqual([])
})
