/** What host bases need to know of this machine: which programs are installed, and what they say of themselves. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

export interface Machine {
  /** Absolute path of a program that a container would find as well, if it is installed. */
  find(program: string): string | undefined
  /** Of the file that the path leads to. */
  stat(path: string): { modifiedAt: Date; bytes: number }
  /** As `process.version` says it. */
  nodeVersion: string
  /** All that a program prints; what it prints before it fails, too. */
  output(path: string, args: readonly string[]): string
}

export const standardPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** What a container of the linux driver sees of the machine's programs, besides the directory of this Node. */
const sharedDirectories = ['/usr', '/bin', '/sbin', '/nix', '/gnu']

/**
 * Programs are looked up in the directories that a container will search, then in our own PATH; with `sharedOnly` not
 * in those that a root file system of its own lacks, such as somebody's home directory.
 */
export function thisMachine({ sharedOnly = false }: { sharedOnly?: boolean } = {}): Machine {
  const ownPath = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)
  const visible = [...sharedDirectories, dirname(process.execPath)]
  const isVisible = (directory: string): boolean =>
    !sharedOnly || visible.some((shared) => directory === shared || directory.startsWith(`${shared}/`))
  const directories = [...standardPath, ...ownPath.filter(isVisible)]
  return {
    find: (program) => {
      if (program === 'node') return process.execPath
      return directories.map((directory) => join(directory, program)).find(isExecutable)
    },
    stat: (path) => {
      const { mtime, size } = statSync(realpathSync(path))
      return { modifiedAt: mtime, bytes: size }
    },
    nodeVersion: process.version,
    output: (path, args) => {
      // A program that waits for input finds none, and one that hangs is not waited for.
      const { stdout, stderr } = spawnSync(path, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 5_000,
        encoding: 'utf8',
      })
      return `${stdout ?? ''}${stderr ?? ''}`
    },
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Not there, or not for us: either way not a program we can offer.
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return false
    throw error
  }
}
