/**
 * The files of a container, for `docker cp`, `diff`, `commit` and `export`: as it sees them while it runs, and as it
 * would see them while it does not.
 *
 * A container may end while somebody looks: its root is gone then from one call to the next, and so is the error that
 * this makes, once the end has been dealt with. Every question is asked again then.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, posix } from 'node:path'
import type { Change } from '@dinghy/images/layers/snapshotter'
import { notFound, serverError } from '@dinghy/shared/docker/errors'
import type { Driver, Running } from '../drivers/driver.ts'
import { userNamed } from '../drivers/linux/user.ts'
import { HeldDirectory, HeldEntry, walkIn } from '../snapshots/held-directory.ts'
import type { LiveSnapshotter } from '../snapshots/snapshotter.ts'
import type { MountPoint } from '../volumes/mount-point.ts'
import { resolveSubpath } from '../volumes/subpath.ts'
import type { Container } from './container.ts'
import type { ContainerRecord } from './record.ts'
import type { Owner } from './tar-tree.ts'

export class ContainerFiles {
  readonly #snapshotter: LiveSnapshotter
  readonly #driver: Pick<Driver, 'isAlive'>

  constructor(snapshotter: LiveSnapshotter, driver: Pick<Driver, 'isAlive'>) {
    this.#snapshotter = snapshotter
    this.#driver = driver
  }

  changes(container: Container): Promise<Change[]> {
    return this.#asking(container, (running) => this.#snapshotter.changes(container.rootfs, running))
  }

  /**
   * Where a file can be read on this machine, links followed inside the root; for a container that cannot change it
   * meanwhile.
   */
  pathIn(container: Container, path: string): Promise<string> {
    return this.#asking(container, (running) => this.#snapshotter.pathIn(container.rootfs, path, running))
  }

  /**
   * What is at `path`: links on the way followed, a link at its end only if `path` ends with `/` or `/.`. The caller
   * closes it. Throws Docker's 404 when there is nothing.
   */
  async open(container: Container, path: string): Promise<HeldEntry> {
    const clean = posix.resolve('/', path)
    const followLast = /\/\.?$/.test(path)
    try {
      const entry = await this.#asking(container, async (running) => {
        const mounted = running === undefined ? openMounted(container, clean, followLast) : undefined
        if (mounted !== undefined) return mounted
        const live = running === undefined ? {} : { live: running }
        return this.#snapshotter.open(container.rootfs, clean, { followLast, ...live })
      })
      if (entry.stat() !== undefined) return entry
      entry.close()
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
    throw notFound(`Could not find the file ${path} in container ${container.name}`)
  }

  /**
   * Whose the files become that `docker cp -a` puts into it: those of its user, if one is configured. As in moby that
   * has to be a name in its /etc/passwd and nothing else: no number, no group.
   */
  async ownerOf(container: Container): Promise<Owner | undefined> {
    const { User: user } = container.record.config
    if (user === '') return undefined
    const entry = await this.open(container, '/etc/passwd/')
    try {
      const found = userNamed(user, readRegular(entry))
      if (found === undefined) throw serverError(`user: unknown user ${user}`)
      return found
    } finally {
      entry.close()
    }
  }

  async #asking<T>(container: Container, question: (running: Running | undefined) => Promise<T>): Promise<T> {
    const { running } = container.state
    try {
      return await question(running)
    } catch (error) {
      if (running === undefined || this.#driver.isAlive(running)) throw error
      await container.ended
      return question(container.state.running)
    }
  }
}

/** The volume or bind that `path` lies in. */
export function mountAt({ mounts }: ContainerRecord, path: string): MountPoint | undefined {
  return mounts
    .filter(({ type, target }) => type !== 'tmpfs' && (path === target || path.startsWith(`${target}/`)))
    .toSorted((a, b) => b.target.length - a.target.length)[0]
}

/** What a stopped container will see at `path`, if that is in one of its volumes or binds. */
function openMounted({ record }: Container, path: string, followLast: boolean): HeldEntry | undefined {
  const mount = mountAt(record, path)
  if (mount === undefined) return undefined
  const source = mount.subpath === undefined ? mount.source : resolveSubpath(mount.source, mount.subpath)
  if (!statSync(source).isDirectory()) {
    return new HeldEntry(HeldDirectory.open(dirname(source)), basename(source))
  }
  const directory = mount.subpath === undefined ? HeldDirectory.open(source) : HeldDirectory.openReal(source)
  return walkIn(directory, path.slice(mount.target.length), { followLast })
}

/** The text of a file that the container may put something else in the place of at any moment. */
function readRegular(entry: HeldEntry): string {
  const fd = openSync(entry.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    return fstatSync(fd).isFile() ? readFileSync(fd, 'utf8') : ''
  } finally {
    closeSync(fd)
  }
}
