/**
 * A ContainerSpec as config.json of the OCI runtime specification (version 1.0): what runc and crun are told about a
 * container. Pure, so a table test can read what a container will get, and so can anybody in the run directory of a
 * live one.
 *
 * Defaults (mounts, hidden paths, devices) are those of Docker. The root itself is mounted already when this is read;
 * see run.sh.
 */
import type { Mount } from '../../snapshots/mount.ts'
import type { ContainerSpec, NamespaceMode, ProcessSpec, Resources } from '../driver.ts'
import { allCapabilities, capabilitiesOf, type Capability } from '../linux/capabilities.ts'
import { maskedPaths, readonlyPaths } from '../linux/launch.ts'
import type { Identity } from '../linux/user.ts'
import type { DeviceNode } from './devices.ts'
import type { LinuxSeccomp } from './seccomp.ts'

const defaultShmBytes = 64 * 1024 * 1024
/** RLIM_INFINITY, which a JavaScript number cannot hold exactly. */
const unlimited = 2n ** 64n - 1n

/** What the spec itself does not say: found out on this machine. */
export interface Circumstances {
  /** Where the container's root is mounted. */
  root: string
  identity: Identity
  /** With their targets' real paths. */
  mounts: Mount[]
  devices: DeviceNode[]
  /** Below the mount point of each hierarchy. */
  cgroupsPath: string
  cgroupVersion: 1 | 2
  canLimitSwap: boolean
  /** Nobody can give what he has not got. */
  capabilities: ReadonlySet<Capability>
  seccomp: LinuxSeccomp | undefined
  hooks: Record<string, OciHook[]>
}

export interface OciHook {
  path: string
  args: string[]
  env: string[]
}

export function ociConfigOf(spec: ContainerSpec, circumstances: Circumstances): object {
  const { process, namespaces = {}, hostname } = spec
  const uts = namespaces.uts ?? (hostname === '' ? 'host' : 'private')
  return {
    ociVersion: '1.0.2',
    process: ociProcessOf(process, spec, circumstances),
    root: { path: circumstances.root, readonly: spec.readOnlyRoot ?? false },
    ...(uts !== 'host' && hostname !== '' ? { hostname } : {}),
    mounts: mountsOf(spec, circumstances.mounts),
    hooks: circumstances.hooks,
    linux: {
      namespaces: [
        { type: 'mount' },
        ...namespace('pid', 'pid', namespaces.pid ?? 'private'),
        ...namespace('ipc', 'ipc', namespaces.ipc ?? 'private'),
        ...namespace('uts', 'uts', uts),
        ...namespace('network', 'net', namespaces.network ?? 'host'),
        ...namespace('cgroup', 'cgroup', circumstances.cgroupVersion === 2 ? 'private' : 'host'),
      ],
      cgroupsPath: circumstances.cgroupsPath,
      resources: {
        ...ociResourcesOf(spec.resources ?? {}, circumstances.canLimitSwap),
        devices: deviceRules(process.privileged ?? false, circumstances.devices),
      },
      devices: circumstances.devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
        path,
        type,
        major,
        minor,
        fileMode,
        uid,
        gid,
      })),
      sysctl: { ...spec.sysctls, ...(spec.domainname ? { 'kernel.domainname': spec.domainname } : {}) },
      maskedPaths: process.privileged ? [] : maskedPaths,
      readonlyPaths: process.privileged ? [] : readonlyPaths,
      ...(circumstances.seccomp !== undefined ? { seccomp: circumstances.seccomp } : {}),
    },
  }
}

/** The `process` of config.json; an exec is one too. What belongs to the whole container comes from its `spec`. */
export function ociProcessOf(
  process: ProcessSpec,
  spec: Pick<ContainerSpec, 'ulimits' | 'oomScoreAdj'>,
  { identity, capabilities }: Pick<Circumstances, 'identity' | 'capabilities'>,
): object {
  const [height, width] = process.consoleSize ?? [0, 0]
  const own = capabilitiesOf(process.capAdd, process.capDrop, process.privileged).filter((name) =>
    capabilities.has(name),
  )
  const names = own.map((name) => `CAP_${name}`)
  return {
    terminal: process.tty ?? false,
    ...(process.tty && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    user: { uid: identity.uid, gid: identity.gid, additionalGids: identity.groups, umask: 0o022 },
    args: process.args,
    env: process.env.some((entry) => entry.startsWith('HOME='))
      ? process.env
      : [...process.env, `HOME=${identity.home}`],
    cwd: process.cwd,
    // The kernel takes them from an ordinary user at the exec, as none is ambient; a set-uid program gets them back.
    capabilities: { bounding: names, permitted: names, effective: names, inheritable: [], ambient: [] },
    rlimits: (spec.ulimits ?? []).map(({ name, soft, hard }) => ({
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: soft < 0 ? unlimited : soft,
      hard: hard < 0 ? unlimited : hard,
    })),
    noNewPrivileges: process.noNewPrivileges ?? false,
    ...(spec.oomScoreAdj ? { oomScoreAdj: spec.oomScoreAdj } : {}),
  }
}

/**
 * JSON with exact 64-bit numbers. No text of a process can hold a NUL, so it tells a bigint from what looks like one.
 */
export function ociJson(value: object): string {
  const text = JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? `\0${field}` : field), 2)
  return text.replaceAll(/"\\u0000(\d+)"/g, '$1')
}

/** `file` is the kernel's name for it in /proc/<pid>/ns. */
function namespace(type: string, file: string, mode: NamespaceMode): { type: string; path?: string }[] {
  if (mode === 'host') return []
  if (mode === 'private') return [{ type }]
  return [{ type, path: 'path' in mode ? mode.path : `/proc/${mode.pid}/ns/${file}` }]
}

interface OciMount {
  destination: string
  type: string
  source: string
  options: string[]
}

/** Docker's own mounts, unless something of the user's takes their place, and the user's after them. */
function mountsOf(spec: ContainerSpec, own: Mount[]): OciMount[] {
  const targets = new Set(own.map(({ target }) => target))
  const isReplaced = ({ destination }: OciMount) =>
    targets.has(destination) || (targets.has('/dev') && destination.startsWith('/dev/'))
  return [...defaultMounts(spec).filter((mount) => !isReplaced(mount)), ...own.map(ociMountOf)]
}

function defaultMounts({ process, namespaces, shmSizeBytes }: ContainerSpec): OciMount[] {
  const mount = (type: string, destination: string, options: string, source = type): OciMount => ({
    destination,
    type,
    source,
    options: options.split(','),
  })
  const readOnly = process.privileged ? '' : ',ro'
  const sharesIpc = namespaces?.ipc === 'host'
  const shm = `nosuid,noexec,nodev,mode=1777,size=${shmSizeBytes || defaultShmBytes}`
  return [
    mount('proc', '/proc', 'nosuid,noexec,nodev'),
    mount('tmpfs', '/dev', 'nosuid,strictatime,mode=755,size=65536k'),
    mount('devpts', '/dev/pts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5'),
    mount('sysfs', '/sys', `nosuid,noexec,nodev${readOnly}`),
    mount('cgroup', '/sys/fs/cgroup', `nosuid,noexec,nodev${readOnly}`),
    mount('mqueue', '/dev/mqueue', 'nosuid,noexec,nodev'),
    sharesIpc ? mount('bind', '/dev/shm', 'rbind,rw', '/dev/shm') : mount('tmpfs', '/dev/shm', shm, 'shm'),
  ]
}

function ociMountOf({ type, source, target, readOnly, options = 'nosuid,nodev,noexec' }: Mount): OciMount {
  const access = readOnly ? 'ro' : 'rw'
  if (type === 'bind') return { destination: target, type, source, options: ['rbind', 'rprivate', access] }
  return { destination: target, type, source: 'tmpfs', options: [...options.split(',').filter(Boolean), access] }
}

/**
 * In the specification's words. Swap is the sum of memory and swap there, as it is in Docker, also with cgroups version
 * 2.
 */
export function ociResourcesOf(resources: Resources, canLimitSwap: boolean): object {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, nanoCpus, cpuShares, cpusetCpus, pids } = resources
  const period = resources.cpuPeriodUs || 100_000
  const quota = nanoCpus ? Math.round((nanoCpus / 1e9) * period) : resources.cpuQuotaUs
  const memory = {
    ...(memoryBytes ? { limit: memoryBytes } : {}),
    // As in Docker, swap defaults to as much again; -1 is unlimited.
    ...(memoryBytes && canLimitSwap ? { swap: memorySwapBytes || memoryBytes * 2 } : {}),
    ...(memoryReservationBytes ? { reservation: memoryReservationBytes } : {}),
  }
  const cpu = {
    ...(quota ? { quota, period } : {}),
    ...(cpuShares ? { shares: cpuShares } : {}),
    ...(cpusetCpus ? { cpus: cpusetCpus } : {}),
  }
  return {
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(pids && pids > 0 ? { pids: { limit: pids } } : {}),
  }
}

/** Everything is forbidden but what was asked for; the harmless devices are allowed by the runtime itself. */
function deviceRules(privileged: boolean, devices: DeviceNode[]): object[] {
  if (privileged) return [{ allow: true, access: 'rwm' }]
  return [
    { allow: false, access: 'rwm' },
    ...devices.map(({ type, major, minor, permissions }) => ({ allow: true, type, major, minor, access: permissions })),
  ]
}

/** From the mask in /proc/<pid>/status. */
export function capabilitiesIn(mask: bigint): Set<Capability> {
  return new Set(allCapabilities.filter((_name, bit) => ((mask >> BigInt(bit)) & 1n) === 1n))
}
