/**
 * Puts a payload into a directory so that readers see either all of the old files or all of the new ones.
 *
 *   volume/..2025_01_01_00_00_00.123/  ← the files
 *   volume/..data                      → ..2025_01_01_00_00_00.123     (replaced by one rename)
 *   volume/app.conf                    → ..data/app.conf
 *
 * Programs that watch their configuration know this layout (they watch "..data"), so it is upstream's to the letter:
 * pkg/volume/util/atomic_writer.go. Writing the same payload again changes nothing.
 */

import { chmod, chown, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomSuffix } from '@dinghy/shared/api/names'
import { isNotAllowed } from './fs-group.ts'
import type { Payload } from './payload.ts'

const dataLink = '..data'

/** True if the files changed. */
export async function writePayload(directory: string, payload: Payload, nowMs: number): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const current = await linkTarget(join(directory, dataLink))
  if (current !== undefined && (await isSame(join(directory, current), payload))) return false
  const next = `..${timestamp(nowMs)}.${randomSuffix(8)}`
  await writeFiles(join(directory, next), payload)
  const temporary = join(directory, `${dataLink}_tmp`)
  await rm(temporary, { force: true })
  await symlink(next, temporary)
  await rename(temporary, join(directory, dataLink))
  await linkNames(directory, payload)
  if (current !== undefined) await rm(join(directory, current), { recursive: true, force: true })
  return true
}

export function isSamePayload(a: Payload, b: Payload): boolean {
  if (a.size !== b.size) return false
  return [...a].every(([path, { data, mode, owner }]) => {
    const other = b.get(path)
    return other !== undefined && other.mode === mode && other.owner === owner && other.data.equals(data)
  })
}

async function writeFiles(directory: string, payload: Payload): Promise<void> {
  await mkdir(directory, { mode: 0o755 })
  for (const [path, { data, mode, owner }] of payload) {
    const file = join(directory, path)
    await mkdir(dirname(file), { recursive: true, mode: 0o755 })
    await writeFile(file, data)
    // Not through writeFile's mode, which the umask would narrow.
    await chmod(file, mode)
    if (owner !== undefined) await giveTo(file, owner, mode)
  }
}

/** Where this agent may not give files away, whoever the container runs as must be able to read them all the same. */
async function giveTo(file: string, owner: number, mode: number): Promise<void> {
  try {
    await chown(file, owner, -1)
  } catch (error) {
    if (!isNotAllowed(error)) throw error
    await chmod(file, mode | 0o044)
  }
}

/** One link for each first path segment; links to what is gone are removed. */
async function linkNames(directory: string, payload: Payload): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.replace(/\/.*/, '')))
  for (const name of await readdir(directory)) {
    if (name.startsWith('..')) continue
    if (!wanted.delete(name)) await rm(join(directory, name), { recursive: true, force: true })
  }
  for (const name of wanted) await symlink(join(dataLink, name), join(directory, name))
}

async function isSame(directory: string, payload: Payload): Promise<boolean> {
  const present = await filesBelow(directory)
  if (present.length !== payload.size) return false
  for (const path of present) {
    const wanted = payload.get(path)
    if (!wanted || !wanted.data.equals(await readFile(join(directory, path)))) return false
  }
  return true
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    // The first time there is nothing yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 23).replace(/[-:T]/g, '_')
}
