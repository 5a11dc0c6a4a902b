/**
 * Resource limits as writes to cgroup files, in both versions' spelling. Pure.
 */
import type { Resources } from '../driver.ts'

export type Controller = 'memory' | 'cpu' | 'cpuacct' | 'cpuset' | 'pids' | 'freezer' | 'devices'

export interface LimitWrite {
  controller: Controller
  file: string
  value: string
  /** For the error message: "memory". */
  what: string
  /** Skip when the kernel was built without this file. */
  optional?: boolean
}

const defaultPeriodUs = 100_000

/**
 * In the order in which they have to be written. `versionOf` tells how the machine has a controller mounted, if at all.
 */
export function limitWrites(
  resources: Resources,
  versionOf: (controller: Controller) => 1 | 2 | undefined,
): LimitWrite[] {
  return [
    ...memoryWrites(resources, versionOf('memory')),
    ...cpuWrites(resources, versionOf('cpu')),
    ...otherWrites(resources),
  ]
}

function memoryWrites(resources: Resources, version: 1 | 2 | undefined): LimitWrite[] {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes } = resources
  const writes: LimitWrite[] = []
  const add = (file: string, value: number | string, optional = false) =>
    writes.push({ controller: 'memory', file, value: String(value), what: 'memory', optional })
  if (memoryReservationBytes) add(version === 2 ? 'memory.low' : 'memory.soft_limit_in_bytes', memoryReservationBytes)
  if (!memoryBytes) return writes
  // As in Docker, swap defaults to as much again; -1 is unlimited. Version 2 counts swap apart from memory.
  const total = memorySwapBytes || memoryBytes * 2
  if (version === 2) {
    add('memory.max', memoryBytes)
    add('memory.swap.max', total < 0 ? 'max' : total - memoryBytes, true)
  } else {
    // The sum may never be below the limit, so it makes room first: an update may raise or lower both.
    add('memory.memsw.limit_in_bytes', -1, true)
    add('memory.limit_in_bytes', memoryBytes)
    add('memory.memsw.limit_in_bytes', total, true)
  }
  return writes
}

function cpuWrites(resources: Resources, version: 1 | 2 | undefined): LimitWrite[] {
  const { nanoCpus, cpuShares, cpuQuotaUs, cpuPeriodUs, cpusetCpus } = resources
  const period = cpuPeriodUs || defaultPeriodUs
  const quota = nanoCpus ? Math.round((nanoCpus / 1e9) * period) : (cpuQuotaUs ?? 0)
  const writes: LimitWrite[] = []
  const add = (controller: Controller, file: string, value: number | string) =>
    writes.push({ controller, file, value: String(value), what: 'CPUs' })
  if (version === 2) {
    if (quota > 0) add('cpu', 'cpu.max', `${quota} ${period}`)
    if (cpuShares) add('cpu', 'cpu.weight', weightOf(cpuShares))
  } else {
    if (quota > 0) {
      add('cpu', 'cpu.cfs_period_us', period)
      add('cpu', 'cpu.cfs_quota_us', quota)
    }
    if (cpuShares) add('cpu', 'cpu.shares', cpuShares)
  }
  if (cpusetCpus) add('cpuset', 'cpuset.cpus', cpusetCpus)
  return writes
}

/** Shares (2–262144) to weight (1–10000), by the formula that container runtimes agreed on. */
export function weightOf(shares: number): number {
  return Math.trunc(1 + ((Math.min(Math.max(shares, 2), 262_144) - 2) * 9999) / 262_142)
}

function otherWrites({ pids }: Resources): LimitWrite[] {
  if (!pids || pids < 0) return []
  return [{ controller: 'pids', file: 'pids.max', value: String(pids), what: 'processes' }]
}

/** Docker's words for limits that are not enforced. */
const discarded: [controller: Controller, limits: (keyof Resources)[], warning: string][] = [
  [
    'memory',
    ['memoryBytes', 'memorySwapBytes', 'memoryReservationBytes'],
    'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
  ],
  ['cpu', ['cpuShares'], 'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.'],
  [
    'cpu',
    ['nanoCpus', 'cpuQuotaUs', 'cpuPeriodUs'],
    'Your kernel does not support CPU CFS scheduler or the cgroup is not mounted. Quota discarded.',
  ],
  ['cpuset', ['cpusetCpus'], 'Your kernel does not support cpuset or the cgroup is not mounted. CPUset discarded.'],
  [
    'pids',
    ['pids'],
    'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
  ],
]

/** The limits that can be enforced, and a warning for each of the others. */
export function discardUnenforceable(
  resources: Resources,
  has: (controller: Controller) => boolean,
): { resources: Resources; warnings: string[] } {
  const left = { ...resources }
  const warnings: string[] = []
  for (const [controller, limits, warning] of discarded) {
    const asked = limits.filter((limit) => left[limit])
    if (asked.length === 0 || has(controller)) continue
    for (const limit of asked) delete left[limit]
    warnings.push(warning)
  }
  return { resources: left, warnings }
}
