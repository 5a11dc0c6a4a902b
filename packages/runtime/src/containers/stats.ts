/**
 * `docker stats`: samples in the shape from which the CLI computes its percentages. Pure.
 */
import { cpus, totalmem } from 'node:os'
import type { Usage } from '../drivers/driver.ts'
import type { Traffic } from '../networks/bridge/machine-links.ts'
import type { Container } from './container.ts'
import { formatMs } from '../timestamps.ts'

export interface Sample {
  usage: Usage | undefined
  /** By interface; empty where the container's traffic cannot be told from the machine's. */
  traffic?: Record<string, Traffic>
  /** Milliseconds since the epoch. */
  at: number
}

const neverRead = '0001-01-01T00:00:00Z'
/** A limit larger than any machine is none. */
const noLimit = 2 ** 53

export function statsJson(
  container: Pick<Container, 'id' | 'name'>,
  current: Sample,
  previous: Sample | undefined,
): object {
  const { usage } = current
  const limit = usage?.memoryLimitBytes
  return {
    name: `/${container.name}`,
    id: container.id,
    read: usage === undefined ? neverRead : formatMs(current.at),
    preread: previous?.usage === undefined ? neverRead : formatMs(previous.at),
    num_procs: 0,
    storage_stats: {},
    pids_stats:
      usage === undefined ? {} : { current: usage.pids, ...(usage.pidsLimit > 0 ? { limit: usage.pidsLimit } : {}) },
    blkio_stats: {
      io_service_bytes_recursive:
        usage === undefined
          ? null
          : [
              { major: 0, minor: 0, op: 'read', value: usage.readBytes },
              { major: 0, minor: 0, op: 'write', value: usage.writeBytes },
            ],
      io_serviced_recursive: null,
      io_queue_recursive: null,
      io_service_time_recursive: null,
      io_wait_time_recursive: null,
      io_merged_recursive: null,
      io_time_recursive: null,
      sectors_recursive: null,
    },
    cpu_stats: cpuStats(current),
    precpu_stats: previous === undefined ? cpuStats({ usage: undefined, at: 0 }) : cpuStats(previous),
    memory_stats:
      usage === undefined
        ? {}
        : {
            usage: usage.memoryBytes,
            max_usage: usage.memoryPeakBytes,
            // The CLI subtracts the page cache: under this name on either version of cgroups.
            stats: { inactive_file: usage.memoryCacheBytes, total_inactive_file: usage.memoryCacheBytes },
            limit: limit === undefined || limit === 0 || limit >= noLimit ? totalmem() : limit,
          },
    networks: current.traffic ?? {},
  }
}

function cpuStats({ usage, at }: Sample): object {
  const online = cpus().length
  return {
    cpu_usage: {
      total_usage: usage?.cpuNanos ?? 0,
      usage_in_kernelmode: usage?.cpuKernelNanos ?? 0,
      usage_in_usermode: usage?.cpuUserNanos ?? 0,
    },
    // All that the machine's CPUs could have done until then; only differences are looked at.
    ...(usage !== undefined ? { system_cpu_usage: at * 1e6 * online, online_cpus: online } : {}),
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  }
}
