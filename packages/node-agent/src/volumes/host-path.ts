/**
 * hostPath volumes: a path of this machine, checked against the type that the pod asks for, made where the type says
 * so. Follows upstream's pkg/volume/hostpath; an empty type checks nothing.
 */

import { mkdir, stat, writeFile } from 'node:fs/promises'
import type { Stats } from 'node:fs'

export class HostPathError extends Error {}

/** Throws HostPathError "hostPath type check failed: …". */
export async function prepareHostPath(path: string, type: string): Promise<void> {
  if (type === '') return
  const stats = await statOf(path)
  if (type === 'DirectoryOrCreate' && !stats) return void (await mkdir(path, { recursive: true, mode: 0o755 }))
  if (type === 'FileOrCreate' && !stats) return await writeFile(path, '', { mode: 0o644, flag: 'a' })
  const check = checks[type]
  if (!check) throw new HostPathError(`hostPath type check failed: unknown type ${type}`)
  if (!stats || !check.test(stats))
    throw new HostPathError(`hostPath type check failed: ${path} is not a ${check.noun}`)
}

const directory = { noun: 'directory', test: (stats: Stats) => stats.isDirectory() }
const file = { noun: 'file', test: (stats: Stats) => stats.isFile() }
const checks: Record<string, { noun: string; test(stats: Stats): boolean }> = {
  Directory: directory,
  DirectoryOrCreate: directory,
  File: file,
  FileOrCreate: file,
  Socket: { noun: 'socket file', test: (stats) => stats.isSocket() },
  CharDevice: { noun: 'character device', test: (stats) => stats.isCharacterDevice() },
  BlockDevice: { noun: 'block device', test: (stats) => stats.isBlockDevice() },
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    // "Not there" is an answer: some types then make it, the others say what is missing.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
