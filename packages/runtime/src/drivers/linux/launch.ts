/**
 * A ContainerSpec as the text that starts it: RUN_DIR/fstab (every mount, in order), RUN_DIR/prelude (names, limits,
 * cgroups) and the command line that sheds privileges. Pure, so a table test can read what a container will get, and
 * so can anybody in the run directory of a live one. init.sh puts the three to work.
 */
import { posix } from 'node:path'
import { linkLines } from '../../networks/bridge/links.ts'
import type { Mount } from '../../snapshots/mount.ts'
import { line, rootLines, type RootPlan } from '../../snapshots/overlay/root-fstab.ts'
import { startError } from '../../start-error.ts'
import type { ContainerSpec, ProcessSpec } from '../driver.ts'
import { environmentCommand, exportLines, handedDown } from '../environment.ts'
import { quote } from '../terminal.ts'
import { capabilitiesOf } from './capabilities.ts'
import type { Entrances } from './cgroups.ts'
import { placesOf } from './mount-places.ts'
import { systemMounts, type NestedMounts } from './system-mounts.ts'
import type { Identity } from './user.ts'

/** Paths of /proc and /sys that Docker hides from containers, and those that it shows read-only. */
export const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]
export const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

export interface MountPlan extends RootPlan {
  mounts: Mount[]
  /** A path at which nothing is; directories are made there. */
  scratch: string
  privileged: boolean
  shmSizeBytes: number
  /** Whether the program runs on a terminal, whose devpts is then at /dev/pts already. */
  tty: boolean
  /** Of maskedPaths, those that this kernel has: `directory` is covered by an empty tmpfs, a file by /dev/null. */
  masked: { path: string; directory: boolean }[]
  readonly: string[]
  devices: { source: string; target: string }[]
  /** Shown at /sys/fs/cgroup, read-only but for the privileged. */
  cgroups: { source: string; target: string }[]
  /** In a user namespace. */
  nested?: NestedMounts | undefined
}

/** The fstab of a container. The overlays' directories are relative to `lowerLinks` (the prelude's cd). */
export function fstabOf(plan: MountPlan): string {
  const { base, privileged, nested } = plan
  const inside = (path: string) => posix.join(base.rootfs, path)
  // There a mount can only be copied with all that is mounted below it, and with the options that it has.
  const bind = nested === undefined ? 'bind' : 'rbind'
  const kept = nested?.kept ?? (() => '')
  const lines = rootLines(plan)
  lines.push(line(base.tools, base.tools, 'none', `bind,ro${kept(base.tools)}`))
  for (const [source, target, type, options] of systemMounts(plan)) {
    lines.push(line(source, inside(target), type, options))
  }
  if (plan.cgroups.length > 1)
    lines.push(line('tmpfs', inside('/sys/fs/cgroup'), 'tmpfs', 'nosuid,nodev,noexec,mode=755'))
  for (const { source, target } of plan.cgroups)
    lines.push(line(source, inside(target), 'none', `bind${privileged ? '' : `,ro${kept(source)}`},X-mount.mkdir`))
  if (!privileged) {
    const keptOfProc = nested?.shares.pid ? kept('/proc') : ''
    for (const path of plan.readonly) lines.push(line(inside(path), inside(path), 'none', `${bind},ro${keptOfProc}`))
    for (const { path, directory } of plan.masked) {
      lines.push(
        directory ? line('tmpfs', inside(path), 'tmpfs', 'ro,size=0') : line('/dev/null', inside(path), 'none', 'bind'),
      )
    }
  }
  for (const { source, target } of plan.devices) lines.push(line(source, inside(target), 'none', 'bind'))
  const listens = plan.mounts.some(({ propagation }) => propagation !== undefined)
  const { places, moves } = placesOf(plan.mounts, base.rootfs, plan.scratch)
  for (const [index, mount] of plan.mounts.entries()) {
    const { at = '', isMade = false } = places[index] ?? {}
    const mkdir = isMade ? ',X-mount.mkdir' : ''
    // One that wants this machine's later mounts lets them into the whole namespace (namespaces.ts); not into the
    // others.
    const extra = listens && mount.propagation === undefined && mount.type === 'bind' ? `${mkdir},rprivate` : mkdir
    const options = mount.readOnly ? `,ro${mount.type === 'bind' ? kept(mount.source) : ''}` : ''
    lines.push(mountLine(mount, at, options + extra))
  }
  for (const { from, to } of moves) lines.push(line(from, to, 'none', 'rbind'))
  return `${lines.join('\n')}\n`
}

function mountLine(mount: Mount, target: string, more: string): string {
  if (mount.type === 'tmpfs') return line('tmpfs', target, 'tmpfs', (mount.options ?? 'nosuid,nodev,noexec') + more)
  return line(mount.source, target, 'none', `rbind${more}`)
}

/**
 * Shell lines that init.sh runs as the container's first process, `$pid` being its pid on the machine. `command` is
 * what becomes the program in the end, and `owner` the user to whom its terminal will belong.
 */
export function preludeOf(
  spec: ContainerSpec,
  command: Command,
  lowerLinks: string,
  { tasks, procs }: Entrances,
  nested = false,
  owner = 0,
): string {
  const interfaces = spec.interfaces ?? []
  // First of all, because it takes longest; it goes on while we mount.
  const lines = [...(interfaces.length > 0 ? linkLines(interfaces) : []), `cd ${quote(lowerLinks)}`]
  if (spec.process.tty && !nested) lines.push(`owner=${owner}`)
  // Who shares a pid namespace does not know what it is called there, and has to move itself, which is to wait.
  const isPid1 = (spec.namespaces?.pid ?? 'private') === 'private'
  if (procs.length > 0) lines.push(...(isPid1 ? [`${writesOf(1, procs)} &`, 'joining=$!'] : [writesOf(0, procs)]))
  // Last of all, so that our own helpers do not count.
  if (tasks.length > 0) lines.push(`join_cgroups() { ${writesOf(0, tasks)}; }`)
  // The loopback device of a new namespace is down. Without iproute2 it stays so: still no network.
  if (spec.namespaces?.network === 'private' && interfaces.length === 0)
    lines.push('if command -v ip >/dev/null; then ip link set lo up & linking=$!; fi')
  lines.push(...nameLines(spec, nested))
  // To lower it is a privilege on the machine; as in rootless Docker, who has it not goes without.
  if (spec.oomScoreAdj) lines.push(`echo ${spec.oomScoreAdj} >"/proc/$pid/oom_score_adj"${nested ? ' || :' : ''}`)
  for (const [name, value] of Object.entries(spec.sysctls ?? {})) {
    lines.push(`echo ${quote(value)} >${quote(`/proc/sys/${name.replaceAll('.', '/')}`)}`)
  }
  lines.push(...exportLines(command.variables), 'umask 0022', `set -- ${command.words.map(quote).join(' ')}`)
  return `${lines.join('\n')}\n`
}

/** A shell line that says to each of the files of some cgroups who is to be in there: 0 is whoever says it. */
export function writesOf(who: number | '$$', files: string[]): string {
  return `for file in ${files.map(quote).join(' ')}; do echo ${who} >"$file" || exit 1; done`
}

/** The files are the machine's root's, whoever owns the namespace; there it takes programs. */
function nameLines({ hostname, domainname }: ContainerSpec, nested: boolean): string[] {
  const set = (what: 'hostname' | 'domainname', name: string | undefined): string[] => {
    if (!name) return []
    return [nested ? `${what} ${quote(name)}` : `echo ${quote(name)} >/proc/sys/kernel/${what}`]
  }
  return [...set('hostname', hostname), ...set('domainname', domainname)]
}

/** Sets the limits on itself and then becomes what follows; nothing when there are none. */
export function limitCommand(ulimits: ContainerSpec['ulimits'] = []): string[] {
  const limit = (value: number): string => (value < 0 ? 'unlimited' : String(value))
  if (ulimits.length === 0) return []
  return ['prlimit', ...ulimits.map(({ name, soft, hard }) => `--${name}=${limit(soft)}:${limit(hard)}`), '--']
}

/**
 * Absolute paths of the machine's tools that the last steps of a start use, which are also their paths in the toolbox.
 */
export interface Tools {
  setpriv: string
  env: string
  /** See canSplit() of environment.ts. */
  envSplits: boolean
  unshare: string
  /** All that the toolbox holds. */
  last: string[]
}

/**
 * Variables that make a dynamic loader or libc do things. This machine's own tools must not see a container's values of
 * these, so they are set by the container's own `env` when everything else is done.
 */
const loaderVariable =
  /^(?:LD_|GLIBC_TUNABLES=|GCONV_PATH=|GETCONF_DIR=|HOSTALIASES=|LOCALDOMAIN=|LOCPATH=|MALLOC_|NIS_PATH=|NLSPATH=|RESOLV_HOST_CONF=|RES_OPTIONS=|TZDIR=)/

export interface Command {
  words: string[]
  /** What the first process finds in its environment, beside what every tool has; see environment.ts. */
  variables: Record<string, string>
}

/**
 * The command that turns a privileged process, whose working directory is the container's root, into the program.
 * `executable` is where the program was found; `hasEnv` whether the container has an /usr/bin/env. `afterDrop` runs the
 * rest of the command when the privileges have been shed.
 */
export function dropCommand(
  spec: ProcessSpec,
  identity: Identity,
  executable: string,
  tools: Omit<Tools, 'last'>,
  hasEnv: boolean,
  canSetGroups = true,
  afterDrop: string[] = [],
): Command {
  const own = spec.env.filter((entry) => loaderVariable.test(entry))
  const others = spec.env.filter((entry) => !loaderVariable.test(entry))
  if (own.length > 0 && !hasEnv) {
    throw startError(
      `the variables ${own.map((entry) => entry.split('=')[0]).join(', ')} need an /usr/bin/env in the image`,
    )
  }
  const words = [
    tools.setpriv,
    ...capabilityFlags(spec, identity, tools.setpriv),
    `--regid=${identity.gid}`,
    groupsFlag(identity, canSetGroups),
    ...(spec.noNewPrivileges ? ['--no-new-privs'] : []),
    '--',
    ...afterDrop,
    ...environmentCommand(others.length, tools.env, tools.envSplits),
    tools.unshare,
    '--root=.',
    `--wd=${spec.cwd}`,
    `--setuid=${identity.uid}`,
    '--',
    ...(own.length > 0 ? ['/usr/bin/env', ...own] : []),
    // By its name, so that the program sees itself called as it was; the search in $PATH has the same result inside.
    spec.env.some((entry) => entry.startsWith('PATH=')) ? (spec.args[0] ?? '') : executable,
    ...spec.args.slice(1),
  ]
  return { words, variables: handedDown(others) }
}

function groupsFlag({ groups }: Identity, canSetGroups: boolean): string {
  if (!canSetGroups) return '--keep-groups'
  return groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups'
}

/**
 * The last step into the container's root is a chroot and a change of user, for which that step needs two capabilities.
 * Where the container may not have them they come as ambient ones, which the change to an ordinary user takes away, and
 * NOROOT keeps a set-uid program from getting anything back. Root changes to no other user: it keeps SYS_CHROOT.
 */
function capabilityFlags(spec: ProcessSpec, { uid }: Identity, setpriv: string): string[] {
  if (spec.privileged) return ['--inh-caps=-all']
  const wanted: string[] = capabilitiesOf(spec.capAdd, spec.capDrop)
  if (uid === 0) return [`--bounding-set=${capabilityList([...wanted, 'SYS_CHROOT'])}`, '--inh-caps=-all']
  const bounding = `--bounding-set=${capabilityList(wanted)}`
  if (lastStep.every((name) => wanted.includes(name))) return [bounding, '--inh-caps=-all']
  const lent = capabilityList(lastStep)
  // The inheritable set has to be there before the bounding set forbids it: one setpriv after the other.
  return [
    `--inh-caps=${lent}`,
    '--',
    setpriv,
    '--securebits=+noroot,+noroot_locked',
    bounding,
    `--ambient-caps=${lent}`,
  ]
}

const lastStep = ['SYS_CHROOT', 'SETUID']

function capabilityList(names: string[]): string {
  return `-all${[...new Set(names)].map((name) => `,+${name.toLowerCase()}`).join('')}`
}
