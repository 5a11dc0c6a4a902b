/**
 * /containers/{id}/archive and /export: files of a container as tars, in and out (`docker cp`, `docker export`).
 */
import { readlinkSync, type Stats } from 'node:fs'
import { posix } from 'node:path'
import type { Container } from '../containers/container.ts'
import { mountAt } from '../containers/container-files.ts'
import { packTree, unpackInto } from '../containers/tar-tree.ts'
import type { HeldEntry } from '../snapshots/held-directory.ts'
import type { Deps } from './deps.ts'
import { badParameter, notFound } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isTrue, sendEmpty, type DockerRequest } from './request.ts'
import type { Router } from './router.ts'

/** Mounted over in every container, and nobody's files; the last is where our own preload is mounted on. */
const notExported = new Set(['dev', 'proc', 'sys', '.dinghy'])

export function archiveRoutes(router: Router, { containers }: Deps): void {
  const { files } = containers
  const find = (request: DockerRequest): Container => containers.get(request.params['id'] ?? '')

  const locate = async (request: DockerRequest) => {
    const container = find(request)
    const path = request.query.get('path') ?? ''
    if (path === '') throw badParameter('missing path')
    const entry = await files.open(container, path)
    // Of "/dir/." the content is meant, and its entries are called so: "./file".
    const name = path.endsWith('/.') ? '.' : posix.basename(posix.resolve('/', path))
    try {
      return { container, entry, name, header: statHeader(name, entry) }
    } catch (error) {
      entry.close()
      throw error
    }
  }

  router.add('HEAD', '/containers/:id/archive', async (request, reply) => {
    const { header, entry } = await locate(request)
    entry.close()
    sendEmpty(reply.header('x-docker-container-path-stat', header), 200)
  })

  router.add('GET', '/containers/:id/archive', async (request, reply) => {
    const { container, header, entry, name } = await locate(request)
    containers.publish(container, 'archive-path')
    const tar = packTree(entry, name === '' ? '.' : name, undefined, request.signal)
    await reply.headers({ 'content-type': 'application/x-tar', 'x-docker-container-path-stat': header }).send(tar)
  })

  router.add('PUT', '/containers/:id/archive', async (request, reply) => {
    const container = find(request)
    const path = request.query.get('path') ?? ''
    const owner = isTrue(request.query.get('copyUIDGID')) ? await files.ownerOf(container) : undefined
    const entry = await files.open(container, `${path}/`)
    try {
      if (!entry.stat()?.isDirectory()) throw badParameter('extraction point is not a directory')
      checkWritable(container, posix.resolve('/', path))
      const directory = entry.enter()
      try {
        await unpackInto(request.stream, directory, {
          keepTypes: isTrue(request.query.get('noOverwriteDirNonDir')),
          ...(owner === undefined ? {} : { owner }),
        })
      } catch (error) {
        throw badParameter(messageOf(error))
      } finally {
        directory.close()
      }
    } finally {
      entry.close()
    }
    containers.publish(container, 'extract-to-dir')
    sendEmpty(reply, 200)
  })

  router.add('GET', '/containers/:id/export', async (request, reply) => {
    const container = find(request)
    const root = await files.open(container, '/')
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

/** Base64 JSON whose mode is Go's: permission bits below, the type in the upper bits. */
function statHeader(name: string, entry: HeldEntry): string {
  const stat = entry.stat()
  if (stat === undefined) throw notFound(`Could not find the file ${name}`)
  const json = {
    name: name === '' ? '/' : name,
    size: stat.size,
    mode: goFileMode(stat),
    mtime: stat.mtime.toISOString(),
    linkTarget: stat.isSymbolicLink() ? readlinkSync(entry.path) : '',
  }
  return Buffer.from(JSON.stringify(json)).toString('base64')
}

function goFileMode(stat: Pick<Stats, 'mode' | 'isDirectory' | 'isSymbolicLink'>): number {
  let mode = stat.mode & 0o777
  // 2 ** n instead of shifts: bit 31 is the sign in JavaScript's.
  if (stat.isDirectory()) mode += 2 ** 31
  if (stat.isSymbolicLink()) mode += 2 ** 27
  if (stat.mode & 0o4000) mode += 2 ** 23
  if (stat.mode & 0o2000) mode += 2 ** 22
  if (stat.mode & 0o1000) mode += 2 ** 20
  return mode
}
