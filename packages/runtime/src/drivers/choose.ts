/**
 * Which driver this machine gets: the one that was asked for, or the best that works. "Works" is not guessed from
 * versions and permissions but tried, by running `true` in a container once.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import type { Clock } from '@dinghy/shared/api/clock'
import { serverError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isMachineRoot, userNamespace } from '@dinghy/images/files/user-namespace'
import type { LiveSnapshotter } from '../snapshots/snapshotter.ts'
import type { Driver } from './driver.ts'
import { FifoPool } from './fifo-pool.ts'
import { acknowledge } from './shim.ts'
import { SpareShell } from './spare-shell.ts'

export interface Chosen {
  driver: Driver
  /** The one whose file systems this driver runs containers in. */
  snapshotter: LiveSnapshotter
  /** For people: why this one. */
  reason: string
}

export type Wanted = 'auto' | Driver['name']

/**
 * `ociRuntime` is the name or path of the program that the oci driver uses; empty: the first that is installed.
 */
export async function chooseDriver(wanted: Wanted, root: string, clock: Clock, ociRuntime = ''): Promise<Chosen> {
  if (wanted === 'oci') return ociDriver(root, clock, ociRuntime)
  if (wanted === 'process') return { ...(await processDriver(root, clock)), reason: 'asked for' }
  if (wanted === 'linux') return { ...(await linuxDriver(root, clock)), reason: 'asked for' }
  if (process.platform !== 'linux') {
    return {
      ...(await processDriver(root, clock)),
      reason: `the linux driver needs Linux, this is ${process.platform}`,
    }
  }
  try {
    const pair = await linuxDriver(root, clock)
    await tryOncePerBoot(pair, root)
    const asWhom = userNamespace().isNested ? ', for an ordinary user in a user namespace' : ''
    return { ...pair, reason: `namespaces and overlayfs work on this machine${asWhom}` }
  } catch (error) {
    const reason = `the linux driver does not work here: ${messageOf(error)}`
    return { ...(await processDriver(root, clock)), reason }
  }
}

type Pair = Omit<Chosen, 'reason'>

async function linuxDriver(root: string, clock: Clock): Promise<Pair> {
  if (process.getuid?.() !== 0)
    throw serverError(`it needs root, or user namespaces for everybody: ${whyNotRootless()}`)
  const [{ LinuxDriver }, { OverlaySnapshotter }, { detectCgroups }] = await Promise.all([
    import('./linux/linux-driver.ts'),
    import('../snapshots/overlay/overlay-snapshotter.ts'),
    import('./linux/cgroup-hierarchies.ts'),
  ])
  const snapshotter = new OverlaySnapshotter(join(root, 'linux'), clock)
  const cgroups = detectCgroups(cgroupName(root), { everywhere: true })
  return { driver: new LinuxDriver({ clock, snapshots: snapshotter, cgroups, ...startingTools(root) }), snapshotter }
}

/** Never chosen by itself: it is there to compare with, and for what only it can do. */
async function ociDriver(root: string, clock: Clock, wanted: string): Promise<Chosen> {
  if (process.platform !== 'linux') throw serverError(`the oci driver needs Linux, this is ${process.platform}`)
  if (!isMachineRoot()) throw serverError('the oci driver needs root')
  const [{ OciDriver }, { OciRuntime }, { OverlaySnapshotter }, { detectCgroups }] = await Promise.all([
    import('./oci/oci-driver.ts'),
    import('./oci/oci-runtime.ts'),
    import('../snapshots/overlay/overlay-snapshotter.ts'),
    import('./linux/cgroup-hierarchies.ts'),
  ])
  const runtime = new OciRuntime(wanted, join(root, 'oci', 'state'))
  const snapshotter = new OverlaySnapshotter(join(root, 'oci'), clock)
  const driver = new OciDriver({
    clock,
    snapshots: snapshotter,
    cgroups: detectCgroups(cgroupName(root), { everywhere: false }),
    cgroupParent: cgroupName(root),
    ...startingTools(root),
    runtime,
  })
  return { driver, snapshotter, reason: `asked for; it runs containers with ${runtime.version} (${runtime.binary})` }
}

/** What every driver takes ready-made for a start. */
function startingTools(root: string): { fifos: FifoPool; shells: SpareShell } {
  return {
    fifos: new FifoPool(join(root, 'fifos')),
    shells: new SpareShell(),
  }
}

/** Several runtimes may run on one machine; each has cgroups of its own. */
function cgroupName(root: string): string {
  return `dinghy-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`
}

/** As drivers/linux/rootless.sh found it. */
function whyNotRootless(): string {
  const [reason] = process.env['DINGHY_NOT_ROOTLESS']?.split('\n') ?? []
  if (reason === undefined) return 'it was started without them, see drivers/linux/rootless.sh'
  const setting = forbidding.find(([file, value]) => existsSync(file) && readFileSync(file, 'utf8').trim() === value)
  return setting === undefined ? reason : `${reason} (${setting[0]} is ${setting[1]})`
}

/** Settings by which distributions forbid them. */
const forbidding = [
  ['/proc/sys/user/max_user_namespaces', '0'],
  ['/proc/sys/kernel/unprivileged_userns_clone', '0'],
  ['/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1'],
] as const

async function processDriver(root: string, clock: Clock): Promise<Pair> {
  const [{ ProcessDriver }, { CopySnapshotter }] = await Promise.all([
    import('./process/process-driver.ts'),
    import('../snapshots/copy/copy-snapshotter.ts'),
  ])
  const snapshotter = new CopySnapshotter()
  return { driver: new ProcessDriver({ clock, snapshots: snapshotter, ...startingTools(root) }), snapshotter }
}

/** A success holds until the machine is booted again, with the same tools and as the same user. */
async function tryOncePerBoot(pair: Pair, root: string): Promise<void> {
  const file = join(root, 'driver-tried')
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const asWhom = userNamespace().isNested ? 'in a user namespace' : 'as root'
  const circumstances = `${bootId} ${asWhom} ${statSync('/usr/bin').mtimeMs}\n`
  if (existsSync(file) && readFileSync(file, 'utf8') === circumstances) return
  await tryOnce(pair, join(root, 'trial'))
  writeFileSync(file, circumstances)
}

async function tryOnce({ driver, snapshotter }: Pair, dir: string): Promise<void> {
  const runDir = join(dir, 'run')
  const rootfs = { layers: [], hostBase: true, dir: join(dir, 'rootfs') }
  mkdirSync(dir, { recursive: true })
  try {
    await driver.createRunDir(runDir)
    const running = await driver.start({
      id: 'trial',
      rootfs,
      runDir,
      process: { args: ['true'], env: ['PATH=/usr/bin:/bin'], cwd: '/', user: '' },
      mounts: [],
      hostname: 'trial',
      stdin: 'null',
    })
    const { code } = await driver.wait(running)
    if (code !== 0) throw new Error(`a first container exited with ${code}`)
  } finally {
    acknowledge(runDir)
    await snapshotter.cleanup(rootfs)
    rmSync(dir, { recursive: true, force: true })
  }
}
