/**
 * How a layer says "this is gone", in its two spellings.
 *
 * Inside a tar (the OCI image specification) a deleted `a/b` is an empty file `a/.wh.b`, and a directory whose lower
 * content is hidden holds `.wh..wh..opq`. Unpacked, the spelling depends on who will stack the directories:
 * - 'overlay' (root on Linux): the kernel's overlayfs wants a character device 0:0 in place of the deleted file, and
 *   the xattr `trusted.overlay.opaque=y` on the directory (`user.` in the place of `trusted.` in a user namespace);
 * - 'files' (anywhere else): the `.wh.` files stay as they are.
 * Node cannot read xattrs, so opaque directories are also listed beside the unpacked layer (see layer-store.ts).
 */
import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { linkSync, lstatSync, renameSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { once } from 'node:events'
import { userNamespace } from '../files/user-namespace.ts'

type WhiteoutStyle = 'overlay' | 'files'

export const whiteoutPrefix = '.wh.'
export const opaqueMarker = '.wh..wh..opq'
/** Other names beginning so are bookkeeping of the long gone aufs driver, found in old images. */
export const whiteoutMetaPrefix = '.wh..wh.'

/** A real device would need CAP_MKNOD, and overlayfs is Linux'. */
export function defaultWhiteoutStyle(): WhiteoutStyle {
  return process.platform === 'linux' && process.getuid?.() === 0 ? 'overlay' : 'files'
}

/** Which of them overlayfs looks at depends on the option userxattr, which it has in user namespaces. */
export function opaqueXattr(): string {
  return `${userNamespace().isNested ? 'user' : 'trusted'}.overlay.opaque`
}

export function isOverlayWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0
}

/**
 * Makes whiteouts of the 'overlay' style. Node has no mknod, so one device is made by the program of that name and
 * every whiteout is a hard link to it: overlayfs itself shares its whiteouts this way.
 */
export class WhiteoutDevices {
  readonly #template: string
  #prepared: Promise<void> | undefined

  /** `template` is a path on the file system of the layers where the shared device may stand. */
  constructor(template: string) {
    this.#template = template
  }

  prepare(): Promise<void> {
    this.#prepared ??= this.#prepare()
    return this.#prepared
  }

  /** Makes the whiteout at `path`. prepare() must have resolved before. */
  place(path: string): void {
    try {
      linkSync(this.#template, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EMLINK') throw error
      // This one has as many names as a file can have (65,000 on ext4): on with the next.
      const fresh = this.#freshPath()
      execFileSync('mknod', [fresh, 'c', '0', '0'])
      renameSync(fresh, this.#template)
      linkSync(this.#template, path)
    }
  }

  async #prepare(): Promise<void> {
    const existing = lstatSync(this.#template, { throwIfNoEntry: false })
    if (existing && isOverlayWhiteout(existing)) return
    const fresh = this.#freshPath()
    await makeDevice(fresh, 'c', 0, 0)
    renameSync(fresh, this.#template)
  }

  /** Made under another name first: nobody may link to a device that is not there yet. */
  #freshPath(): string {
    return `${this.#template}.${randomUUID()}`
  }
}

export async function makeDevice(path: string, type: 'c' | 'b' | 'p', major: number, minor: number): Promise<void> {
  const numbers = type === 'p' ? [] : [String(major), String(minor)]
  const child = spawn('mknod', ['--', path, type, ...numbers], { stdio: ['ignore', 'ignore', 'pipe'] })
  let message = ''
  child.stderr.on('data', (chunk: Buffer) => (message += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`mknod ${path} failed: ${message.trim() || `exit code ${code}`}`)
}
