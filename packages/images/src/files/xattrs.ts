/**
 * Setting extended attributes. Node cannot, GNU tar can: the wanted attributes are handed to it as a tar of their own.
 *
 * Two users: opaque directories of overlayfs (which must work, or deleted files would come back), and attributes that
 * a layer carries, such as file capabilities (which are kept where that is possible and dropped where it is not).
 */
import { spawn } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { tarStream } from './tar.ts'

export interface WantedXattrs {
  /** Relative to the root, without leading slash. Regular files and directories only. */
  path: string
  xattrs: Record<string, string>
}

/** This machine, its tar or the file system has no such attributes, or keeps them from this user. */
export class XattrsRefusedError extends Error {}

/** Sets the attributes beneath `root`. Hard links to the files are broken up. */
export async function setXattrs(root: string, wanted: WantedXattrs[]): Promise<void> {
  if (wanted.length === 0) return
  const archive = tarStream(async (tar) => {
    for (const { path, xattrs } of wanted) {
      const stat = lstatSync(join(root, path))
      const content = stat.isDirectory() ? undefined : readFileSync(join(root, path))
      await tar.add(
        {
          name: path,
          type: stat.isDirectory() ? 'directory' : 'file',
          mode: stat.mode & 0o7777,
          uid: stat.uid,
          gid: stat.gid,
          size: content?.length ?? 0,
          mtime: stat.mtime,
          xattrs,
        },
        content,
      )
    }
  })
  const options = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-permissions', '-C', root, '-xf', '-']
  // In English, because its messages are read below.
  const env = { ...process.env, LC_ALL: 'C' }
  const child = spawn('tar', options, { env, stdio: ['pipe', 'ignore', 'pipe'] })
  let message = ''
  child.stderr.on('data', (chunk: Buffer) => (message += chunk.toString()))
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    // GNU tar exits 0 after "Cannot setxattr": a warning is a failure here.
    child.once('close', (code) => {
      if (code === 0 && message === '') return resolve()
      const text = `cannot set extended attributes with tar: ${message.trim() || `exit code ${code}`}`
      reject(isRefusal(message) ? new XattrsRefusedError(text) : new Error(text))
    })
  })
  // When tar gives up, the broken pipe is only the echo of its exit.
  const feeding = pipeline(archive, child.stdin).catch(() => undefined)
  await Promise.all([exited, feeding])
}

/** Pure: whether everything that tar complains of is an attribute that cannot be. */
export function isRefusal(message: string): boolean {
  const complaints = message.split('\n').filter((line) => line !== '' && !line.includes('Exiting with failure status'))
  return complaints.length > 0 && complaints.every((line) => /not supported|not permitted/.test(line))
}
