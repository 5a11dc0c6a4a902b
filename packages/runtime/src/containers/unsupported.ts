/**
 * What a client may ask for and would not get here. An isolation or a limit that was asked for is never dropped in
 * silence: create fails, in Docker's own words where Docker refuses the same. Pure.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import { maskedPaths, readonlyPaths } from '../drivers/linux/launch.ts'
import type { HostConfig } from './record.ts'

/** What depends on the machine and the driver. */
interface Available {
  cpus: number
  /** Whether system calls can be filtered. */
  seccomp: boolean
}

type Rule = (hostConfig: HostConfig, available: Available) => string | undefined

function isSet(value: unknown): boolean {
  return Array.isArray(value)
    ? value.length > 0
    : typeof value === 'object' && value !== null
      ? Object.keys(value).length > 0
      : Boolean(value)
}

/** Fields of HostConfig that have to be empty, and what they would limit or give. */
const unsupported: Record<string, string> = {
  BlkioWeight: 'block IO weight',
  BlkioWeightDevice: 'block IO weight',
  BlkioDeviceReadBps: 'block IO rates',
  BlkioDeviceWriteBps: 'block IO rates',
  BlkioDeviceReadIOps: 'block IO rates',
  BlkioDeviceWriteIOps: 'block IO rates',
  CpuRealtimePeriod: 'real-time CPU scheduling',
  CpuRealtimeRuntime: 'real-time CPU scheduling',
  CpusetMems: 'memory nodes',
  DeviceCgroupRules: 'device cgroup rules',
  CgroupParent: 'a cgroup parent',
  VolumeDriver: 'a volume driver',
}

const rules: Rule[] = [
  (hostConfig) => {
    const field = Object.keys(unsupported).find((name) => isSet(hostConfig[name]))
    // The CLI says "local" for no driver at all.
    if (field === undefined || (field === 'VolumeDriver' && hostConfig[field] === 'local')) return undefined
    return `HostConfig.${field} is not supported: this runtime cannot give a container ${unsupported[field]}`
  },
  ({ NanoCpus }, { cpus }) =>
    NanoCpus < 0 || NanoCpus > cpus * 1e9
      ? `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`
      : undefined,
  ({ DeviceRequests }) => {
    const [request] = (DeviceRequests ?? []) as { Driver?: string; Capabilities?: (string[] | null)[] }[]
    if (request === undefined) return undefined
    const capabilities = (request.Capabilities ?? []).map((all) => `[${(all ?? []).join(' ')}]`).join(' ')
    return `could not select device driver "${request.Driver ?? ''}" with capabilities: [${capabilities}]`
  },
  ({ Runtime }) =>
    isSet(Runtime) && Runtime !== 'runc' ? `unknown or invalid runtime name: ${String(Runtime)}` : undefined,
  ({ StorageOpt }) => (isSet(StorageOpt) ? '--storage-opt is not supported: no quota can be set here' : undefined),
  ({ Isolation }) =>
    isSet(Isolation) && Isolation !== 'default'
      ? `invalid isolation (${String(Isolation)}): only the default exists on this system`
      : undefined,
  ({ CgroupnsMode }) =>
    isSet(CgroupnsMode) && CgroupnsMode !== 'private'
      ? `invalid cgroup namespace mode: ${String(CgroupnsMode)}: a container never sees the cgroups of this machine here`
      : undefined,
  (hostConfig) => {
    const isOther = (paths: string[] | null | undefined, usual: readonly string[]) =>
      paths !== null && paths !== undefined && paths.toSorted().join() !== usual.toSorted().join()
    const { Privileged, MaskedPaths, ReadonlyPaths } = hostConfig
    if (Privileged || (!isOther(MaskedPaths, maskedPaths) && !isOther(ReadonlyPaths, readonlyPaths))) return undefined
    return 'HostConfig.MaskedPaths and ReadonlyPaths (--security-opt systempaths=unconfined) are not supported'
  },
  ({ UsernsMode }) =>
    isSet(UsernsMode) && UsernsMode !== 'host' ? `invalid user namespace mode: ${String(UsernsMode)}` : undefined,
  ({ SecurityOpt }, { seccomp }) => {
    const options = SecurityOpt ?? []
    const index = options.findIndex((option) => !isKnownSecurityOption(option, seccomp))
    return index < 0 ? undefined : `invalid --security-opt ${index + 1}: ${JSON.stringify(options[index])}`
  },
]

/**
 * A profile of AppArmor cannot be applied, nor one of seccomp by most drivers, which describe() says for all
 * containers; asking for one is refused, asking for none is what happens anyway. SELinux labels mean nothing on a
 * machine without it, as in Docker.
 */
function isKnownSecurityOption(option: string, seccomp: boolean): boolean {
  if (seccomp && /^seccomp[=:]/.test(option)) return true
  return /^(no-new-privileges([=:](true|false))?|(seccomp|apparmor)[=:]unconfined|seccomp[=:]builtin|label[=:].*)$/.test(
    option,
  )
}

/** What Docker too leaves out where a kernel has no control for it, with these words in the answer to create. */
export function discarded({ OomKillDisable, MemorySwappiness }: HostConfig): string[] {
  const swappiness = typeof MemorySwappiness === 'number' && MemorySwappiness >= 0
  return [
    ...(OomKillDisable ? ['Your kernel does not support OomKillDisable. OomKillDisable discarded.'] : []),
    ...(swappiness
      ? [
          'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
        ]
      : []),
  ]
}

/** Throws a 400 for the first thing that cannot be had. */
export function checkSupported(hostConfig: HostConfig, available: Available): void {
  for (const rule of rules) {
    const refusal = rule(hostConfig, available)
    if (refusal !== undefined) throw badParameter(refusal)
  }
}
