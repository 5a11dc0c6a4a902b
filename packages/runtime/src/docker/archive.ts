/**
 * /containers/{id}/archive and /export: files of a container as tars, in and out (`docker cp`, `docker export`).
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { posix } from 'node:path'
import type { Container } from '../containers/container.ts'
import type { ContainerRecord } from '../containers/record.ts'
import type { MountPoint } from '../volumes/mount-point.ts'
import { packTree, unpackInto } from '../containers/tar-tree.ts'
import { LayeredView } from '../snapshots/layered-view.ts'
import type { Deps } from './deps.ts'
import { badParameter, notFound } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isTrue, sendEmpty, type DockerRequest } from './request.ts'
import type { Router } from './router.ts'

/** Mounted over in every container, and nobody's files. */
const notExported = new Set(['dev', 'proc', 'sys'])

export function archiveRoutes(router: Router, { containers }: Deps): void {
  const { driver } = containers
  const find = (request: DockerRequest): Container => containers.get(request.params['id'] ?? '')

  /** The file as the container sees it: the directory's links followed, its own not. */
  const locate = async (
    container: Container,
    path: string,
  ): Promise<{ hostPath: string; stat: Stats; name: string }> => {
    if (path === '') throw badParameter('missing path')
    const clean = posix.resolve('/', path)
    const { dir, base } = posix.parse(clean)
    const directory = await pathIn(container, dir)
    const hostPath = base === '' ? directory : posix.join(directory, base)
    const stat = lstatSync(hostPath, { throwIfNoEntry: false })
    if (stat === undefined) throw missing(path, container)
    // "/link/." and "/link/" mean what the link leads to.
    if (stat.isSymbolicLink() && /\/\.?$/.test(path)) {
      const target = await pathIn(container, clean)
      return { hostPath: target, stat: lstatSync(target), name: path.endsWith('/.') ? '.' : base }
    }
    // Of "/dir/." the content is meant, and its entries are called so: "./file".
    return { hostPath, stat, name: path.endsWith('/.') ? '.' : base }
  }
  const missing = (path: string, container: Container) =>
    notFound(`Could not find the file ${path} in container ${container.name}`)
  const pathIn = async (container: Container, path: string): Promise<string> => {
    const mounted = container.state.running === undefined ? mountedPlace(container, path) : undefined
    if (mounted !== undefined) return mounted
    try {
      return await driver.pathIn(container.rootfs, path, container.state.running)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw missing(path, container)
      throw error
    }
  }

  const sendStat = async (request: DockerRequest) => {
    const container = find(request)
    const located = await locate(container, request.query.get('path') ?? '')
    return { container, ...located, header: statHeader(located.name, located.stat, located.hostPath) }
  }

  router.add('HEAD', '/containers/:id/archive', async (request, reply) => {
    const { header } = await sendStat(request)
    sendEmpty(reply.header('x-docker-container-path-stat', header), 200)
  })

  router.add('GET', '/containers/:id/archive', async (request, reply) => {
    const { container, header, hostPath, name } = await sendStat(request)
    containers.publish(container, 'archive-path')
    const tar = packTree(hostPath, name === '' ? '.' : name, undefined, request.signal)
    await reply.headers({ 'content-type': 'application/x-tar', 'x-docker-container-path-stat': header }).send(tar)
  })

  router.add('PUT', '/containers/:id/archive', async (request, reply) => {
    const container = find(request)
    const path = request.query.get('path') ?? ''
    const directory = await pathIn(container, path)
    if (!lstatSync(directory).isDirectory()) throw badParameter('extraction point is not a directory')
    checkWritable(container, posix.resolve('/', path))
    try {
      await unpackInto(request.stream, directory, {
        keepTypes: isTrue(request.query.get('noOverwriteDirNonDir')),
        // Owners in the tar are those of the client's machine, unless it asks to keep them (`docker cp -a`).
        owners: isTrue(request.query.get('copyUIDGID')) ? 'archive' : 'root',
      })
    } catch (error) {
      throw badParameter(messageOf(error))
    }
    containers.publish(container, 'extract-to-dir')
    sendEmpty(reply, 200)
  })

  router.add('GET', '/containers/:id/export', async (request, reply) => {
    const container = find(request)
    const root = await pathIn(container, '/')
    containers.publish(container, 'export')
    await reply.type('application/octet-stream').send(packTree(root, '', notExported, request.signal))
  })
}

function checkWritable({ record }: Container, path: string): void {
  const mount = mountAt(record, path)
  if (mount?.readOnly) throw badParameter('mounted volume is marked read-only')
  if (mount === undefined && record.hostConfig.ReadonlyRootfs)
    throw badParameter('container rootfs is marked read-only')
}

/** The volume or bind that `path` lies in. */
function mountAt({ mounts }: ContainerRecord, path: string): MountPoint | undefined {
  return mounts
    .filter(({ type, target }) => type !== 'tmpfs' && (path === target || path.startsWith(`${target}/`)))
    .toSorted((a, b) => b.target.length - a.target.length)[0]
}

/** Where a stopped container keeps what it will see at `path`, if that is in one of its volumes or binds. */
function mountedPlace({ record }: Container, path: string): string | undefined {
  const mount = mountAt(record, path)
  return mount && new LayeredView([{ dir: mount.source, at: '/' }]).find(path.slice(mount.target.length))?.hostPath
}

/** Base64 JSON whose mode is Go's: permission bits below, the type in the upper bits. */
function statHeader(name: string, stat: Stats, hostPath: string): string {
  const json = {
    name: name === '' ? '/' : name,
    size: stat.size,
    mode: goFileMode(stat),
    mtime: stat.mtime.toISOString(),
    linkTarget: stat.isSymbolicLink() ? readlinkSync(hostPath) : '',
  }
  return Buffer.from(JSON.stringify(json)).toString('base64')
}

export function goFileMode(stat: Pick<Stats, 'mode' | 'isDirectory' | 'isSymbolicLink'>): number {
  let mode = stat.mode & 0o777
  // 2 ** n instead of shifts: bit 31 is the sign in JavaScript's.
  if (stat.isDirectory()) mode += 2 ** 31
  if (stat.isSymbolicLink()) mode += 2 ** 27
  if (stat.mode & 0o4000) mode += 2 ** 23
  if (stat.mode & 0o2000) mode += 2 ** 22
  if (stat.mode & 0o1000) mode += 2 ** 20
  return mode
}
