/**
 * Finds the program of a container before it is started, so that a start which cannot work fails with Docker's own
 * words: the docker CLI reads its exit code (126, 127) out of them.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { posix } from 'node:path'
import { PathEscapeError } from '@dinghy/images/files/scoped-path'
import type { LayerView } from '@dinghy/images/layers/layer-view'
import { startError } from '../start-error.ts'
import type { ProcessSpec } from './driver.ts'

/** Looks a path up in the container: its real path inside and where its bytes can be read. */
export type Lookup = (path: string) => { path: string; hostPath: string; mode: number; isFile: boolean } | undefined

export function lookupThrough(view: LayerView): Lookup {
  return (path) => {
    try {
      const found = view.lookup(path)
      return found && { path: found.path, hostPath: found.hostPath, mode: found.stat.mode, isFile: found.stat.isFile() }
    } catch (error) {
      // Links that lead in circles lead to no program; there may be one further along the PATH.
      if (error instanceof PathEscapeError) return undefined
      throw error
    }
  }
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The path inside the container of what `args[0]` names. Throws Docker's start errors. */
export function findExecutable(spec: Pick<ProcessSpec, 'args' | 'env' | 'cwd'>, lookup: Lookup): string {
  const name = spec.args[0] ?? ''
  if (name.includes('/')) {
    const path = name.startsWith('/') ? name : posix.join(spec.cwd, name)
    const found = lookup(path)
    if (found === undefined) throw startError(`exec: "${name}": stat ${name}: no such file or directory`)
    if (!found.isFile) throw startError(`exec: "${name}": is a directory: permission denied`)
    if (!isExecutable(found.mode)) throw startError(`exec: "${name}": permission denied`)
    checkFormat(name, found.hostPath, lookup)
    return path
  }
  let isDenied = false
  for (const directory of pathOf(spec.env).split(':')) {
    const path = posix.join(directory === '' ? spec.cwd : directory, name)
    const found = name === '' ? undefined : lookup(path)
    if (found === undefined || !found.isFile) continue
    if (isExecutable(found.mode)) {
      checkFormat(name, found.hostPath, lookup)
      return path
    }
    isDenied = true
  }
  if (isDenied) throw startError(`exec: "${name}": permission denied`)
  throw startError(`exec: "${name}": executable file not found in $PATH`)
}

function pathOf(env: string[]): string {
  return env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? defaultPath
}

function isExecutable(mode: number): boolean {
  return (mode & 0o111) !== 0
}

/** The kernel would refuse these after the start has been reported, so look at the first bytes ourselves. */
function checkFormat(name: string, hostPath: string, lookup: Lookup): void {
  const head = firstBytes(hostPath, 256)
  if (head.subarray(0, 2).toString() === '#!') {
    const interpreter = /^#![ \t]*(\S+)/.exec(head.toString())?.[1]
    if (interpreter !== undefined && lookup(interpreter) === undefined) {
      throw startError(`exec ${name}: no such file or directory`)
    }
    return
  }
  const magic = head.subarray(0, 4).toString('latin1')
  const known = process.platform === 'linux' ? ['\x7fELF'] : ['\xcf\xfa\xed\xfe', '\xca\xfe\xba\xbe']
  if (!known.includes(magic)) throw startError(`exec ${name}: exec format error`)
}

function firstBytes(path: string, length: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(length)
    return buffer.subarray(0, readSync(fd, buffer, 0, length, 0))
  } finally {
    closeSync(fd)
  }
}
