/**
 * Runs one command in a root file system and waits for it: the RUN of a Dockerfile. It is a container without a name,
 * a record or a log: a run directory, a start, the output as it comes, an exit code. What the command changed is
 * afterwards in the snapshotter's `changes(rootfs)`; the caller owns the rootfs, has prepared it and cleans it up.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount } from '../snapshots/mount.ts'
import type { ContainerSpec, Driver, Running } from '../drivers/driver.ts'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import { hostsFile, resolvConf } from '../networks/hosts-file.ts'
import { newId } from './names.ts'
import { Stdio } from './stdio.ts'

export interface RunOnceOptions {
  rootfs: Rootfs
  args: string[]
  env: string[]
  workdir: string
  /** As in `docker run --user`. */
  user: string
  mounts?: Mount[]
  /** `none`: a namespace with a loopback device only. Otherwise the machine's network. */
  network?: 'none' | 'default'
  /** Further lines of /etc/hosts, as "name:address". */
  extraHosts?: readonly string[]
  limits?: Pick<ContainerSpec, 'shmSizeBytes' | 'ulimits'>
  /** Bytes in the order in which each stream gave them. */
  onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
}

/**
 * Resolves with the exit code (128 + n when signal n ended it). Throws a DockerError when the command cannot be
 * started at all; when `signal` aborts, kills the command and throws the abort reason.
 */
export async function runOnce(driver: Driver, options: RunOnceOptions, signal?: AbortSignal): Promise<number> {
  signal?.throwIfAborted()
  const { rootfs, args, env, workdir, user, mounts = [], extraHosts = [], onOutput } = options
  const id = newId()
  const runDir = join(rootfs.dir, 'run')
  await driver.createRunDir(runDir)
  const spec: ContainerSpec = {
    id,
    rootfs,
    runDir,
    process: { args, env, cwd: workdir || '/', user },
    mounts: [...networkFiles(rootfs.dir, id, extraHosts), ...mounts],
    hostname: id.slice(0, 12),
    stdin: 'null',
    ...(options.network === 'none' ? { namespaces: { network: 'private' } } : {}),
    ...options.limits,
    protectHost: true,
  }
  const stdio = new Stdio(runDir)
  const running = await driver.start(spec)
  stdio.openOutput(onOutput)
  const kill = () => killQuietly(driver, running, spec)
  signal?.addEventListener('abort', kill, { once: true })
  // Aborted while it was being started: nobody has told it yet.
  if (signal?.aborted) kill()
  try {
    const { code } = await driver.wait(running)
    signal?.throwIfAborted()
    return code
  } finally {
    signal?.removeEventListener('abort', kill)
    stdio.finish()
    rmSync(runDir, { recursive: true, force: true })
  }
}

/** The end of the command is what the caller waits for, so a failure to kill shows as a command that goes on. */
function killQuietly(driver: Driver, running: Running, spec: ContainerSpec): void {
  void driver.killAll(running, spec)
}

/** A build needs the network of the machine, and names of its own. */
function networkFiles(dir: string, id: string, extraHosts: readonly string[]): Mount[] {
  const resolv = existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : ''
  const files = {
    hosts: hostsFile([{ ip: '127.0.0.1', names: [id.slice(0, 12)] }], extraHosts, [], '127.0.0.1'),
    'resolv.conf': resolvConf(resolv, [], [], []),
    hostname: `${id.slice(0, 12)}\n`,
  }
  return Object.entries(files).map(([name, text]) => {
    const source = join(dir, name)
    writeFileSync(source, text)
    return { type: 'bind', source, target: `/etc/${name}`, readOnly: false }
  })
}
