/**
 * A container's record as the ContainerSpec that a driver starts. Pure, apart from what is passed in.
 */
import type { Mount } from '../snapshots/mount.ts'
import type { ContainerSpec, NamespaceMode, ProcessSpec, Resources } from '../drivers/driver.ts'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import type { NetworkInterface } from '../networks/network-interface.ts'
import { badParameter } from '@dinghy/shared/docker/errors'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import { commandOf } from './create-body.ts'
import { namespaceFileOf } from './network-namespace-file.ts'
import type { ContainerConfig, ContainerRecord, HostConfig } from './record.ts'

export interface SpecInput {
  record: ContainerRecord
  rootfs: Rootfs
  runDir: string
  mounts: Mount[]
  /** Added to the container's own environment, such as its address. */
  extraEnv: string[]
  hostname: string
  /**
   * Not in the machine's network namespace, but in its own; with `container:<name>`, in that of the other container.
   */
  isolated: boolean
  interfaces?: NetworkInterface[]
  /** Finds the host pid of the container that a `container:<name>` mode refers to. */
  pidOf: (reference: string) => number
}

export function containerSpecOf(input: SpecInput): ContainerSpec {
  const { record, rootfs, runDir, mounts, hostname, pidOf } = input
  const { config, hostConfig } = record
  const network = input.isolated ? networkNamespace(hostConfig.NetworkMode, pidOf) : undefined
  return {
    id: record.id,
    rootfs,
    runDir,
    process: {
      ...privilegesOf(hostConfig),
      args: commandOf(config),
      env: environmentOf([...terminalEnv(config.Tty), `HOSTNAME=${hostname}`, ...config.Env, ...input.extraEnv]),
      cwd: config.WorkingDir || '/',
      user: config.User,
      tty: config.Tty,
      ...(hostConfig.ConsoleSize !== undefined ? { consoleSize: hostConfig.ConsoleSize } : {}),
    },
    mounts,
    hostname: hostConfig.UTSMode === 'host' ? '' : hostname,
    domainname: config.Domainname,
    readOnlyRoot: hostConfig.ReadonlyRootfs,
    stdin: stdinOf(config),
    init: hostConfig.Init ?? false,
    namespaces: {
      pid: namespaceMode(hostConfig.PidMode, pidOf),
      ipc: namespaceMode(hostConfig.IpcMode, pidOf),
      uts: hostConfig.UTSMode === 'host' ? 'host' : 'private',
      ...(network !== undefined ? { network } : {}),
    },
    interfaces: input.interfaces ?? [],
    resources: resourcesOf(hostConfig),
    shmSizeBytes: hostConfig.ShmSize,
    sysctls: { ...(network === 'private' && unprivileged()), ...hostConfig.Sysctls },
    ulimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    oomScoreAdj: hostConfig.OomScoreAdj,
    devices: (hostConfig.Devices ?? []).map(({ PathOnHost, PathInContainer, CgroupPermissions }) => ({
      source: PathOnHost,
      target: PathInContainer || PathOnHost,
      permissions: CgroupPermissions,
    })),
    ...seccompOptionOf(hostConfig),
  }
}

/** With a terminal a client that goes (Ctrl-P Ctrl-Q, or its own terminal closed) is not the end of the input. */
export function stdinOf({ OpenStdin, StdinOnce, Tty }: ContainerConfig): ContainerSpec['stdin'] {
  if (!OpenStdin) return 'null'
  return StdinOnce && !Tty ? 'once' : 'keep'
}

/** The last one counts. A profile may hold any character, so nothing is replaced in it. */
function seccompOptionOf({ SecurityOpt }: HostConfig): Pick<ContainerSpec, 'seccomp'> {
  const option = (SecurityOpt ?? []).findLast((text) => /^seccomp[=:]/.test(text))
  return option === undefined ? {} : { seccomp: option.slice('seccomp='.length) }
}

/** What an exec shares with the container's own process. */
export function privilegesOf(
  hostConfig: HostConfig,
): Pick<ProcessSpec, 'groupAdd' | 'capAdd' | 'capDrop' | 'privileged' | 'noNewPrivileges'> {
  const options = (hostConfig.SecurityOpt ?? []).map((option) => option.replace('=', ':'))
  return {
    groupAdd: hostConfig.GroupAdd ?? [],
    capAdd: hostConfig.CapAdd ?? [],
    capDrop: hostConfig.CapDrop ?? [],
    privileged: hostConfig.Privileged,
    noNewPrivileges: options.some((option) => option === 'no-new-privileges' || option === 'no-new-privileges:true'),
  }
}

/** What a program is started with: a later value replaces an earlier one, "NAME" without a value takes it away. */
export function environmentOf(entries: readonly string[]): string[] {
  const environment = new Map<string, string>()
  for (const entry of entries) {
    const [name = ''] = entry.split('=', 1)
    if (entry.includes('=')) environment.set(name, entry)
    else environment.delete(name)
  }
  return [...environment.values()]
}

export function terminalEnv(tty: boolean): string[] {
  return tty ? ['TERM=xterm'] : []
}

/** Only what was asked for: a limit that the machine cannot enforce is an error. */
export function resourcesOf(hostConfig: HostConfig): Resources {
  const all: Resources = {
    memoryBytes: hostConfig.Memory,
    memorySwapBytes: hostConfig.MemorySwap,
    memoryReservationBytes: hostConfig.MemoryReservation,
    nanoCpus: hostConfig.NanoCpus,
    cpuShares: hostConfig.CpuShares,
    cpuQuotaUs: hostConfig.CpuQuota,
    cpuPeriodUs: hostConfig.CpuPeriod,
    cpusetCpus: hostConfig.CpusetCpus,
    pids: hostConfig.PidsLimit ?? 0,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0 && value !== ''))
}

/** In a network of its own a program needs no privilege to serve port 80 or to ping; as Docker sets it. */
function unprivileged(): Record<string, string> {
  // In a user namespace not all of those groups exist, and the kernel takes none that do not.
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    ...(!userNamespace().isNested ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
  }
}

/** Every mode but `container:` and `ns:` is a network to be plugged into, or `none`. */
function networkNamespace(mode: string, pidOf: (reference: string) => number): NamespaceMode {
  const path = namespaceFileOf(mode)
  if (path !== undefined) return { path }
  return mode.startsWith('container:') ? namespaceMode(mode, pidOf) : 'private'
}

function namespaceMode(mode: string, pidOf: (reference: string) => number): NamespaceMode {
  if (['', 'private', 'shareable'].includes(mode)) return 'private'
  if (mode === 'host') return 'host'
  if (mode.startsWith('container:')) return { pid: pidOf(mode.slice('container:'.length)) }
  throw badParameter(`invalid namespace mode: ${mode}`)
}
