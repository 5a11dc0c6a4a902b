/**
 * What a runtime that was killed in the middle of a build leaves: the RUN command, still running, the shim that waits
 * for somebody to read its output, and directories. A build cannot be taken up again, so all of it goes.
 *
 * Call it before the first build, in a root that no other runtime uses.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import { endRun } from '../drivers/end-run.ts'

/** The only thing in there that outlives a build: `RUN --mount=type=cache`. */
const kept = 'cache-mounts'

export async function removeBuildLeftovers(clock: Clock, directory: string): Promise<void> {
  for (const id of namesIn(join(directory, 'run'))) await endRun(clock, join(directory, 'run', id, 'rootfs', 'run'))
  for (const name of namesIn(directory)) {
    if (name !== kept) await removeTree(join(directory, name))
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
