/**
 * One runtime for each root directory: two of them would end one another's containers as leftovers of nobody's.
 *
 * The lock is a file with the pid and the start time of its owner, so the one of a runtime that was killed is as good
 * as none. It comes into being with its content (a link to a finished file): nobody ever reads half of it.
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serverError } from '@dinghy/shared/docker/errors'
import { isSameProcess, startTimeOf } from './drivers/process-table.ts'

/** Returns what unlocks it. Throws when another runtime has it. */
export function lockRoot(root: string): () => void {
  const path = join(root, 'runtime.pid')
  const own = `${process.pid} ${startTimeOf(process.pid) ?? ''}\n`
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, own)
  try {
    while (!tryLink(draft, path)) {
      const owner = ownerOf(path)
      if (owner !== undefined && isSameProcess(owner.pid, owner.startTime)) {
        throw serverError(`${root} belongs to another runtime, process ${owner.pid}, which is still running`)
      }
      rmSync(path, { force: true })
    }
  } finally {
    rmSync(draft)
  }
  return () => rmSync(path, { force: true })
}

function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

function ownerOf(path: string): { pid: number; startTime: string } | undefined {
  try {
    const [pid = '', startTime = ''] = readFileSync(path, 'utf8').trim().split(' ')
    return { pid: Number(pid), startTime }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
