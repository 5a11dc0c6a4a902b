/**
 * Base images for a machine without a network: `FROM node` means this machine's own node, `FROM alpine` its shell.
 *
 * What a container of a host base sees below its own layers are the files of this machine (the driver decides how:
 * mounted read-only, or simply there). The image itself has a config and at most one small layer, with what its name
 * promises and the machine keeps elsewhere (host-roles.ts). It is only ever a stand-in, so it comes with a warning
 * that says what is missing, it is marked in the config (`oci.ts`, hostBaseFeature), and only well-known bases whose
 * program is installed here are honoured. Anything else stays a pull error.
 */
import { dirname, posix } from 'node:path'
import type { Readable } from 'node:stream'
import type { Reference } from '@dinghy/shared/docker/reference'
import { familiarName, withDefaultTag } from '@dinghy/shared/docker/reference'
import type { OciImageConfig } from '../content/oci.ts'
import { hostBaseFeature, hostPlatform } from '../content/oci.ts'
import type { TarHeader } from '../files/tar.ts'
import { tarStream } from '../files/tar.ts'
import type { ViewLayer } from '../layers/layer-view.ts'
import type { HostFile, HostFiles } from './host-files.ts'
import type { Role } from './host-roles.ts'
import { inLocalBin, roles } from './host-roles.ts'
import type { Machine } from './machine.ts'
import { standardPath } from './machine.ts'

export interface HostBase {
  /** Of an image without layers; the one made of `files`, if there are any, has to be entered. */
  config: OciImageConfig
  files: HostFiles
  /** Of the machine's program that it stands for. */
  bytes: number
  /** For people: "node of this machine (/usr/bin/node)". */
  madeOf: string
  /** What people who know the image will miss, in whole sentences. */
  differences: string[]
}

/** The stand-in for an image, or undefined when this machine cannot play it. */
export function hostBaseFor(reference: Reference, machine: Machine): HostBase | undefined {
  if (reference.digest !== undefined) return undefined
  const role = roles.find(({ names }) => names.includes(baseName(reference)))
  const name = role?.programs.find((candidate) => machine.find(candidate) !== undefined)
  const program = name === undefined ? undefined : machine.find(name)
  if (!role || name === undefined || program === undefined) return undefined
  const { modifiedAt, bytes } = machine.stat(program)
  const files = role.files?.(machine) ?? {}
  const created = modifiedAt.toISOString()
  const { os, architecture, variant } = hostPlatform()
  const madeOf = `${name} of this machine (${program})`
  const run = role.run(machine)
  return {
    config: {
      created,
      architecture,
      ...(variant !== undefined ? { variant } : {}),
      os,
      'os.features': [hostBaseFeature],
      config: { WorkingDir: '/', ...run, Env: [`PATH=${searchPath(program).join(':')}`, ...(run.Env ?? [])] },
      rootfs: { type: 'layers', diff_ids: [] },
      history: [{ created, created_by: madeOf, comment: 'host base', empty_layer: true }],
    },
    files,
    bytes,
    madeOf,
    differences: [versionDifference(reference, role, program, machine), missingPrograms(role, files, machine)].filter(
      (sentence) => sentence !== undefined,
    ),
  }
}

/** The config of the image once its files are a layer. */
export function withFiles(config: OciImageConfig, diffId: string): OciImageConfig {
  const history = (config.history ?? []).map(({ empty_layer: _none, ...entry }) => entry)
  return { ...config, rootfs: { type: 'layers', diff_ids: [diffId] }, history }
}

/** A host base's files as a tar; `at` is the time of all of them, so that the same files are the same layer. */
export function hostFilesTar(files: HostFiles, at: Date, signal?: AbortSignal): Readable {
  return tarStream(async (archive) => {
    const made = new Set<string>(['/'])
    const addDirectory = async (path: string): Promise<void> => {
      if (made.has(path)) return
      made.add(path)
      await addDirectory(posix.dirname(path))
      await archive.add({ ...header(path, at), name: `${path.slice(1)}/`, type: 'directory', mode: 0o755 })
    }
    for (const [path, file] of Object.entries(files)) {
      await addDirectory('directory' in file ? path : posix.dirname(path))
      if (!('directory' in file)) await addFile(path, file)
    }
    async function addFile(path: string, file: Exclude<HostFile, { directory: true }>): Promise<void> {
      if ('link' in file) return archive.add({ ...header(path, at), type: 'symlink', linkname: file.link })
      const content = Buffer.from(file.text)
      await archive.add({ ...header(path, at), mode: file.mode, size: content.length }, content)
    }
  }, signal)
}

function header(path: string, mtime: Date): TarHeader {
  return { name: path.slice(1), type: 'file', mode: 0o777, uid: 0, gid: 0, size: 0, mtime }
}

/** What people are told, and why: no registry, or a driver for which the files of an image are of no use. */
export function hostBaseWarning(
  reference: Reference,
  { madeOf, differences }: Pick<HostBase, 'madeOf' | 'differences'>,
  why: 'unreachable' | 'preferred',
): string {
  const name = familiarName(withDefaultTag(reference))
  const reason =
    why === 'unreachable'
      ? `no registry answers for ${name}`
      : `containers here run this machine's own programs, not ${name}'s`
  const standIn = `standing in for it with ${madeOf} and its system files.`
  return [`WARNING: ${reason}: ${standIn}`, ...differences, 'What is built on it runs on this machine only.'].join(' ')
}

/** "node:22" on a machine with version 20: said, because nothing else would tell. */
function versionDifference(
  { tag = '' }: Reference,
  { versionArgs }: Role,
  program: string,
  machine: Machine,
): string | undefined {
  const [wanted] = /^\d+(\.\d+)*/.exec(tag) ?? []
  if (versionArgs === undefined || wanted === undefined) return undefined
  const isNode = program === machine.find('node')
  const told = isNode ? machine.nodeVersion : machine.output(program, versionArgs)
  const [found] = /\d+(\.\d+)+/.exec(told) ?? []
  if (found === undefined || `${found}.`.startsWith(`${wanted}.`)) return undefined
  return `Its version is ${found}, not ${wanted}.`
}

function missingPrograms({ expects = [] }: Role, files: HostFiles, machine: Machine): string | undefined {
  const missing = expects.filter((name) => !(inLocalBin(name) in files) && machine.find(name) === undefined)
  return missing.length === 0 ? undefined : `Not on this machine: ${missing.join(', ')}.`
}

/** Which official image a name stands for; other people's images called "node" are not node. */
function baseName({ domain, path }: Reference): string {
  const components = path.split('/')
  const last = components.at(-1) ?? ''
  // Copies of the official images (`…/library/node`), and the registries Kubernetes' own examples use.
  const isOfficial = components.at(-2) === 'library'
  const isKubernetes = domain === 'registry.k8s.io' || domain === 'k8s.gcr.io' || /^gcr\.io$/.test(domain)
  return isOfficial || isKubernetes ? last : ''
}

function searchPath(program: string): string[] {
  const directory = dirname(program)
  return standardPath.includes(directory) ? standardPath : [directory, ...standardPath]
}

/** Directories and files of this machine that belong to an operating system rather than to its user. */
const systemPaths = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'usr', 'etc/ssl/certs', 'etc/alternatives']
// Of etc/ssl not everything: the keys of this machine's services lie in etc/ssl/private.
const systemFiles = [
  'etc',
  'etc/ssl',
  'etc/ssl/openssl.cnf',
  'etc/passwd',
  'etc/group',
  'etc/os-release',
  'etc/ld.so.cache',
  'etc/nsswitch.conf',
]

/** The machine's files as the lowest layer of a view: what `COPY --from=node /usr/local/bin/node` finds. */
export function hostBaseLayer(): ViewLayer {
  return {
    directory: '/',
    opaque: new Set(),
    shows: (path) =>
      systemFiles.includes(path) || systemPaths.some((shown) => path === shown || path.startsWith(`${shown}/`)),
  }
}
