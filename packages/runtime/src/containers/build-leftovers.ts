/**
 * What a runtime that was killed in the middle of a build leaves: the RUN command, still running, the shim that waits
 * for somebody to read its output, and directories. A build cannot be taken up again, so all of it goes.
 *
 * Call it before the first build, in a root that no other runtime uses.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { commandLineOf, isSameProcess } from '../drivers/process-table.ts'
import { readRunning, readShimPid } from '../drivers/shim.ts'

/** The only thing in there that outlives a build: `RUN --mount=type=cache`. */
const kept = 'cache-mounts'

export function removeBuildLeftovers(directory: string): void {
  for (const id of namesIn(join(directory, 'run'))) endRun(join(directory, 'run', id, 'rootfs', 'run'))
  for (const name of namesIn(directory)) {
    if (name !== kept) rmSync(join(directory, name), { recursive: true, force: true })
  }
}

function endRun(runDir: string): void {
  const running = readRunning('', runDir)
  // With it goes everything in its pid namespace; the shim's process group has the rest where there is none.
  if (running !== undefined && isSameProcess(running.pid, running.startTime)) process.kill(running.pid, 'SIGKILL')
  const shim = readShimPid(runDir)
  // Its number may be somebody else's by now; the directory on its command line is nobody else's.
  if (shim !== undefined && commandLineOf(shim)?.includes(runDir)) process.kill(-shim, 'SIGKILL')
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
