/**
 * `docker cp`: files out of a container and into it, as tars. Where they end up is decided by one pure function for
 * both directions, because the rules are the same on both sides:
 * https://docs.docker.com/reference/cli/docker/container/cp/
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync, statSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { addEntry } from './context.ts'
import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { isDockerStatus } from '@dinghy/shared/docker/errors'

export class CopyError extends Error {}

type Kind = 'directory' | 'file' | 'missing'

export interface Place {
  /** The directory to unpack into. */
  directory: string
  /** What the copy is called in there; undefined when only the content of the source goes there. */
  name: string | undefined
}

/** `path` is where to; `from` is the source's path as it was given, whose last `/.` means "its content". */
export function placeOf(path: string, kind: Kind, from: string, isDirectory: boolean): Place {
  if (kind === 'directory')
    return { directory: path, name: /(^|\/)\.$/.test(from) ? undefined : posix.basename(posix.resolve('/', from)) }
  if (kind === 'file' && isDirectory) throw new CopyError('cannot copy directory')
  if (kind === 'missing' && path.endsWith('/') && !isDirectory) throw new CopyError('no such directory')
  const { dir, base } = posix.parse(path)
  return { directory: dir === '' ? '.' : dir, name: base }
}

export async function copyFrom(
  engine: DockerEngine,
  id: string,
  path: string,
  to: string,
  keepOwners = false,
): Promise<void> {
  const { body, headers } = await engine.request('GET', archivePath(id, path))
  if (to === '-') return pipeline(body, process.stdout, { end: false })
  const { name, isDirectory } = parseStat(headers['x-docker-container-path-stat'])
  const kind = kindOf(statSync(to, { throwIfNoEntry: false })?.isDirectory())
  const place = existingPlace(() => placeOf(to, kind, path, isDirectory), body)
  // tar refuses names and links that lead out of the directory, which a container could have made.
  const flags = keepOwners ? ['--same-owner'] : ['--no-same-owner']
  const unpacking = spawn('tar', ['-x', '-f', '-', ...flags, '-C', place.directory], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  const exited = once(unpacking, 'exit') as Promise<[number | null]>
  await pipeline(renamed(body, name, place.name), unpacking.stdin)
  const [code] = await exited
  if (code !== 0) throw new CopyError(`tar ended with ${code}`)
}

/** The place, if there is one; otherwise nobody will read the archive. */
function existingPlace(choose: () => Place, archive: Readable): Place {
  try {
    const place = choose()
    if (statSync(place.directory, { throwIfNoEntry: false })?.isDirectory()) return place
    throw new CopyError(`invalid output path: directory "${resolve(place.directory)}" does not exist`)
  } catch (error) {
    archive.destroy()
    throw error
  }
}

export async function copyTo(
  engine: DockerEngine,
  from: string,
  id: string,
  path: string,
  keepOwners = false,
): Promise<void> {
  if (from === '-') return putArchive(engine, id, path, process.stdin, keepOwners)
  const source = lstatSync(from, { throwIfNoEntry: false })
  if (source === undefined) throw new CopyError(`lstat ${resolve(from)}: no such file or directory`)
  const place = placeOf(path, await kindInside(engine, id, path), resolveKeepingDot(from), source.isDirectory())
  const pack = tar.pack()
  const addAll = async () => {
    await addTree(pack, from, place.name ?? '.')
    pack.finalize()
  }
  addAll().catch((error: Error) => pack.destroy(error))
  await putArchive(engine, id, place.directory, Readable.from(pack), keepOwners)
}

async function putArchive(
  engine: DockerEngine,
  id: string,
  path: string,
  archive: Readable,
  owners: boolean,
): Promise<void> {
  const query = `&noOverwriteDirNonDir=true${owners ? '&copyUIDGID=true' : ''}`
  const { body } = await engine.request('PUT', archivePath(id, path) + query, { body: archive, lastsMs: Infinity })
  body.resume()
}

function archivePath(id: string, path: string): string {
  return `/containers/${id}/archive?path=${encodeURIComponent(path)}`
}

/** The last directory's own name is what counts, not the dot that it may be called by. */
function resolveKeepingDot(from: string): string {
  return /(^|\/)\.$/.test(from) ? `${resolve(from)}/.` : resolve(from)
}

function kindOf(isDirectory: boolean | undefined): Kind {
  return isDirectory === undefined ? 'missing' : isDirectory ? 'directory' : 'file'
}

async function kindInside(engine: DockerEngine, id: string, path: string): Promise<Kind> {
  try {
    // With the slash, what a link leads to is meant.
    const { headers, body } = await engine.request('HEAD', archivePath(id, `${path.replace(/\/+$/, '')}/`))
    body.resume()
    return kindOf(parseStat(headers['x-docker-container-path-stat']).isDirectory)
  } catch (error) {
    if (isDockerStatus(error, 404)) return 'missing'
    throw error
  }
}

/** Base64 JSON; a directory has bit 31 of Go's file mode. */
function parseStat(header: string | string[] | undefined): { name: string; isDirectory: boolean } {
  const { name, mode } = JSON.parse(Buffer.from(String(header), 'base64').toString()) as { name: string; mode: number }
  return { name, isDirectory: mode >= 2 ** 31 }
}

/** The archive with its one top-level name replaced; without a new one, what is in it comes to the top. */
function renamed(archive: Readable, name: string, newName: string | undefined): Readable {
  const rename = (path: string) =>
    path === name || path.startsWith(`${name}/`) ? posix.join(newName ?? '.', path.slice(name.length)) : path
  const input = tar.extract()
  const output = tar.pack()
  const copyAll = async () => {
    for await (const entry of input) {
      const { header } = entry
      const linkname = header.type === 'link' && header.linkname ? rename(header.linkname) : header.linkname
      await pipeline(entry, output.entry({ ...header, name: rename(header.name), linkname: linkname ?? null }))
    }
    output.finalize()
  }
  pipeline(archive, input).catch((error: Error) => output.destroy(error))
  copyAll().catch((error: Error) => output.destroy(error))
  return Readable.from(output)
}

async function addTree(pack: tar.Pack, source: string, name: string): Promise<void> {
  await addEntry(pack, source, name, true)
  if (!lstatSync(source).isDirectory()) return
  for (const child of readdirSync(source).toSorted()) await addTree(pack, join(source, child), join(name, child))
}
