/**
 * Which system calls a container may make, as the `seccomp` of config.json: a profile in Docker's format
 * (`--security-opt seccomp=<profile>`, which the CLI sends as JSON text), or a default. Pure.
 *
 * The default is ours and not Docker's. Docker's lists what is allowed, hundreds of names; this one lists what is not:
 * the calls that Docker's documentation names as significant and blocked (docs.docker.com/engine/security/seccomp).
 * They fail with eperm unless the container has the capability that opens them there. Calls that are in neither list
 * are allowed here and not there; `personality` is left alone, since some of its values are harmless and a list of what
 * is forbidden cannot say so.
 */
import { DockerError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { Capability } from '../linux/capabilities.ts'

export interface SyscallArgument {
  index: number
  value: number
  valueTwo?: number
  op: string
}

export interface LinuxSeccomp {
  defaultAction: string
  defaultErrnoRet?: number
  architectures: string[]
  flags?: string[]
  listenerPath?: string
  syscalls: { names: string[]; action: string; errnoRet?: number; args?: SyscallArgument[] }[]
}

export interface SeccompCircumstances {
  /** As Node names it. */
  arch: string
  /** As in `uname -r`. */
  kernel: string
  capabilities: readonly Capability[]
}

/** `option` is what follows `seccomp=`. Undefined: no filter at all. Throws a 400 for what is no profile. */
export function seccompOf(option: string | undefined, circumstances: SeccompCircumstances): LinuxSeccomp | undefined {
  if (option === 'unconfined') return undefined
  if (option === undefined || option === 'builtin') return defaultProfile(circumstances)
  return fromDockerProfile(parseProfile(option), circumstances)
}

/**
 * Numbers and names per Node's architecture: Go's, as Docker's profiles say it; libseccomp's, the machine's own first.
 */
const architectures: Record<string, { go: string; own: string; compatible: string[] }> = {
  x64: { go: 'amd64', own: 'SCMP_ARCH_X86_64', compatible: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
  arm64: { go: 'arm64', own: 'SCMP_ARCH_AARCH64', compatible: ['SCMP_ARCH_ARM'] },
  arm: { go: 'arm', own: 'SCMP_ARCH_ARM', compatible: [] },
  ppc64: { go: 'ppc64le', own: 'SCMP_ARCH_PPC64LE', compatible: [] },
  s390x: { go: 's390x', own: 'SCMP_ARCH_S390X', compatible: ['SCMP_ARCH_S390'] },
  riscv64: { go: 'riscv64', own: 'SCMP_ARCH_RISCV64', compatible: [] },
}

const eperm = 1
const enosys = 38

/** Calls that no capability opens. */
const blocked =
  'add_key get_kernel_syms keyctl move_pages nfsservctl pivot_root query_module request_key sysfs _sysctl uselib userfaultfd ustat vm86 vm86old'

/** Calls that need one of these capabilities, besides what the kernel itself asks for. */
const gatedCalls: [capabilities: Capability[], names: string][] = [
  [['SYS_PACCT'], 'acct'],
  [['SYS_ADMIN', 'BPF'], 'bpf'],
  [['SYS_ADMIN', 'PERFMON'], 'perf_event_open'],
  [['SYS_ADMIN'], 'lookup_dcookie mount quotactl setns swapon swapoff umount umount2 unshare'],
  [['SYS_TIME'], 'clock_adjtime clock_settime settimeofday stime'],
  [['SYS_MODULE'], 'create_module delete_module finit_module init_module'],
  [['SYS_NICE'], 'get_mempolicy mbind set_mempolicy'],
  [['SYS_RAWIO'], 'ioperm iopl'],
  [['SYS_PTRACE'], 'kcmp'],
  [['SYS_BOOT'], 'kexec_file_load kexec_load reboot'],
  [['DAC_READ_SEARCH'], 'open_by_handle_at'],
]

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]

function defaultProfile({ arch, kernel, capabilities }: SeccompCircumstances): LinuxSeccomp {
  const architecture = architectureOf(arch)
  const has = (name: Capability) => capabilities.includes(name)
  const gated = gatedCalls.filter(([openers]) => !openers.some(has)).flatMap(([, names]) => names.split(' '))
  // Before 4.8 a process could change the system call of another after its filter had let it pass.
  const tracing =
    isAtLeast(kernel, '4.8') || has('SYS_PTRACE') ? [] : ['ptrace', 'process_vm_readv', 'process_vm_writev']
  const syscalls: LinuxSeccomp['syscalls'] = [
    { names: [...blocked.split(' '), ...gated, ...tracing], action: 'SCMP_ACT_ERRNO', errnoRet: eperm },
  ]
  if (!has('SYS_ADMIN')) {
    // The flags of clone are its first argument, but for s390, where the stack comes first.
    const index = arch === 's390x' ? 1 : 0
    for (const flag of namespaceFlags) {
      const args = [{ index, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }]
      syscalls.push({ names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: eperm, args })
    }
    // Those of clone3 are in memory, where no filter can look. C libraries that are told it does not exist use clone.
    syscalls.push({ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys })
  }
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: [architecture.own, ...architecture.compatible],
    syscalls,
  }
}

/**
 * A profile as Docker takes it: OCI's format, and in it what holds only for some machines, kernels and capabilities.
 */
interface DockerProfile extends Partial<Omit<LinuxSeccomp, 'syscalls'>> {
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null
  syscalls?: DockerSyscall[] | null
}
interface DockerSyscall {
  name?: string
  names?: string[]
  action: string
  errnoRet?: number
  args?: SyscallArgument[] | null
  includes?: Filter | null
  excludes?: Filter | null
}
interface Filter {
  caps?: string[]
  arches?: string[]
  minKernel?: string
}

function parseProfile(text: string): DockerProfile {
  let profile: unknown
  try {
    profile = JSON.parse(text)
  } catch (error) {
    throw invalidProfile(messageOf(error))
  }
  if (typeof profile !== 'object' || profile === null || Array.isArray(profile)) throw invalidProfile('it is no object')
  return profile
}

function fromDockerProfile(profile: DockerProfile, circumstances: SeccompCircumstances): LinuxSeccomp {
  const { archMap, syscalls, defaultAction = '', defaultErrnoRet, flags, listenerPath } = profile
  const architecture = architectureOf(circumstances.arch)
  const listed = profile.architectures ?? []
  if (listed.length > 0 && (archMap ?? []).length > 0) {
    throw invalidProfile("use either 'architectures' or 'archMap'")
  }
  const mapped = (archMap ?? []).find((entry) => entry.architecture === architecture.own)
  const wanted = (syscalls ?? []).filter(
    ({ includes, excludes }) =>
      isIncluded(includes ?? {}, architecture.go, circumstances) &&
      !isExcluded(excludes ?? {}, architecture.go, circumstances),
  )
  return {
    defaultAction,
    ...(defaultErrnoRet !== undefined ? { defaultErrnoRet } : {}),
    ...(flags ? { flags } : {}),
    ...(listenerPath ? { listenerPath } : {}),
    architectures: mapped === undefined ? listed : [mapped.architecture, ...(mapped.subArchitectures ?? [])],
    syscalls: wanted.map(({ name, names = [], action, errnoRet, args }) => {
      if (name && names.length > 0) throw invalidProfile("use either 'name' or 'names'")
      return {
        names: name ? [name] : names,
        action,
        ...(errnoRet !== undefined ? { errnoRet } : {}),
        ...(args && args.length > 0 ? { args } : {}),
      }
    }),
  }
}

/** All that is named must be so … */
function isIncluded({ arches = [], caps = [], minKernel }: Filter, arch: string, has: SeccompCircumstances): boolean {
  if (arches.length > 0 && !arches.includes(arch)) return false
  if (minKernel && !isAtLeast(has.kernel, minKernel)) return false
  return caps.every((name) => hasCapability(has, name))
}

/** … and one of these is enough. */
function isExcluded({ arches = [], caps = [], minKernel }: Filter, arch: string, has: SeccompCircumstances): boolean {
  if (arches.includes(arch) || caps.some((name) => hasCapability(has, name))) return true
  return Boolean(minKernel) && isAtLeast(has.kernel, minKernel ?? '')
}

function hasCapability({ capabilities }: SeccompCircumstances, name: string): boolean {
  return capabilities.some((capability) => `CAP_${capability}` === name)
}

function architectureOf(arch: string): { go: string; own: string; compatible: string[] } {
  const known = architectures[arch]
  if (known === undefined) throw new DockerError(500, `no seccomp filters on this architecture: ${arch}`)
  return known
}

/** Major and minor number, as Docker compares them. */
function isAtLeast(kernel: string, minimum: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = minimum.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

function invalidProfile(reason: string): DockerError {
  return new DockerError(400, `Decoding seccomp profile failed: ${reason}`)
}
