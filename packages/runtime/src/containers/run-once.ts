/**
 * Runs one command in a root file system and waits for it: the RUN of a Dockerfile. It is a container without a name,
 * a record or a log: a run directory, a start, the output as it comes, an exit code. What the command changed is
 * afterwards in `driver.changes(rootfs)`; the caller owns the rootfs and cleans it up.
 */
import type { Driver, Mount, Rootfs } from '../drivers/driver.ts'

export interface RunOnceOptions {
  rootfs: Rootfs
  args: string[]
  env: string[]
  workdir: string
  /** As in `docker run --user`. */
  user: string
  mounts?: Mount[]
  /** Bytes in the order in which each stream gave them. */
  onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
}

/**
 * Resolves with the exit code (128 + n when signal n ended it). Throws a DockerError when the command cannot be
 * started at all; when `signal` aborts, kills the command and throws the abort reason.
 */
export async function runOnce(driver: Driver, options: RunOnceOptions, signal?: AbortSignal): Promise<number> {
  throw new Error(`not wired yet: ${driver.name} ${options.args.join(' ')} ${String(signal?.aborted)}`)
}
