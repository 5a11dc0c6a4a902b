/**
 * Fields of a service that the engine takes much as they are: how each is read, and what it is called there. Whether
 * this machine can honour one is the engine's to say: it refuses what it cannot. Pure.
 */

import { ComposeError } from '../compose-error.ts'
import {
  booleanOf,
  checkFields,
  isTree,
  listOf,
  mappingOf,
  numberOf,
  oneOrMore,
  textMappingOf,
  textOf,
  textsOf,
} from './tree.ts'
import { parseBytes } from './units.ts'

interface EngineField {
  /** A field of the container's own configuration, or of what the host gives it. */
  part: 'Config' | 'HostConfig'
  name: string
  read: (value: unknown, at: string) => unknown
  /** From compose's form to the engine's, where they differ. */
  write?: (value: never) => unknown
}

function bytes(value: unknown): number {
  return parseBytes(value as string | number)
}
function config(name: string, read: EngineField['read']): EngineField {
  return { part: 'Config', name, read }
}
function host(name: string, read: EngineField['read'], write?: EngineField['write']): EngineField {
  return {
    part: 'HostConfig',
    name,
    read,
    ...(write ? { write } : {}),
  }
}

export const engineFields: Record<string, EngineField> = {
  annotations: host('Annotations', textMappingOf),
  cap_add: host('CapAdd', textsOf),
  cap_drop: host('CapDrop', textsOf),
  cgroup: host('CgroupnsMode', textOf),
  cgroup_parent: host('CgroupParent', textOf),
  cpu_period: host('CpuPeriod', numberOf),
  cpu_quota: host('CpuQuota', numberOf),
  cpu_shares: host('CpuShares', numberOf),
  cpuset: host('CpusetCpus', textOf),
  device_cgroup_rules: host('DeviceCgroupRules', textsOf),
  devices: host('Devices', devices, (list: Device[]) =>
    list.map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
  ),
  dns: host('Dns', oneOrMore),
  dns_opt: host('DnsOptions', textsOf),
  dns_search: host('DnsSearch', oneOrMore),
  domainname: config('Domainname', textOf),
  group_add: host('GroupAdd', textsOf),
  hostname: config('Hostname', textOf),
  init: host('Init', booleanOf),
  mem_reservation: host('MemoryReservation', bytes),
  mem_swappiness: host('MemorySwappiness', numberOf),
  memswap_limit: host('MemorySwap', bytes),
  oom_kill_disable: host('OomKillDisable', booleanOf),
  oom_score_adj: host('OomScoreAdj', numberOf),
  privileged: host('Privileged', booleanOf),
  read_only: host('ReadonlyRootfs', booleanOf),
  runtime: host('Runtime', textOf),
  security_opt: host('SecurityOpt', textsOf),
  shm_size: host('ShmSize', bytes),
  stdin_open: config('OpenStdin', booleanOf),
  stop_signal: config('StopSignal', textOf),
  storage_opt: host('StorageOpt', textMappingOf),
  sysctls: host('Sysctls', textMappingOf),
  tty: config('Tty', booleanOf),
  ulimits: host('Ulimits', ulimits, (limits: Record<string, Ulimit>) =>
    Object.entries(limits).map(([name, { soft, hard }]) => ({ Name: name, Soft: soft, Hard: hard })),
  ),
  user: config('User', textOf),
  userns_mode: host('UsernsMode', textOf),
  uts: host('UTSMode', textOf),
  working_dir: config('WorkingDir', textOf),
}

interface Device {
  source: string
  target: string
  permissions: string
}

function devices(value: unknown, at: string): Device[] {
  return listOf(value, at).map((item) => {
    if (isTree(item)) {
      const { source, target = source, permissions = 'rwm' } = mappingOf(item, at)
      return { source: String(source), target: String(target), permissions: String(permissions) }
    }
    const [source = '', target = source, permissions = 'rwm'] = textOf(item, at).split(':')
    return { source, target, permissions }
  })
}

interface Ulimit {
  soft: number
  hard: number
}

export function ulimits(value: unknown, at: string): Record<string, Ulimit> {
  if (!isTree(value)) throw new ComposeError(`${at} must be a mapping`)
  return Object.fromEntries(
    Object.entries(value).map(([name, limit]) => {
      const tree = isTree(limit) ? limit : { soft: limit, hard: limit }
      checkFields(tree, ['soft', 'hard'], `${at}.${name}`)
      const { soft, hard } = tree
      return [name, { soft: numberOf(soft, `${at}.${name}`), hard: numberOf(hard, `${at}.${name}`) }]
    }),
  )
}

/** The settings of a service in one part of the engine's create request. */
export function engineSettings(settings: Record<string, unknown>, part: EngineField['part']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(engineFields)
      .filter(([field, { part: own }]) => own === part && settings[field] !== undefined)
      .map(([field, { name, write }]) => [name, write ? write(settings[field] as never) : settings[field]]),
  )
}
