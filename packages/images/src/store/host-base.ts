/**
 * Base images for a machine without a network: `FROM node` means this machine's own node, `FROM alpine` its shell.
 *
 * A host base has a config but no files; what a container of it sees below its own layers are the files of this
 * machine (the driver decides how: mounted read-only, or simply there). It is only ever a stand-in, so it comes with
 * a warning, it is marked in the config (`oci.ts`, hostBaseFeature), and only names whose promise this machine can
 * roughly keep are honoured: well-known bases whose program is installed here. Anything else stays a pull error.
 */
import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { ViewLayer } from '../layers/layer-view.ts'
import type { OciImageConfig, RunConfig } from '../content/oci.ts'
import { hostBaseFeature, hostPlatform } from '../content/oci.ts'
import type { Reference } from '@dinghy/shared/docker/reference'
import { familiarName, withDefaultTag } from '@dinghy/shared/docker/reference'

/** What the decision needs to know of this machine. */
export interface Machine {
  /** Absolute path of a program, if installed. */
  find(program: string): string | undefined
  /** When the file last changed. */
  modifiedAt(path: string): Date
  nodeVersion: string
}

export interface HostBase {
  config: OciImageConfig
  /** For people: "node of this machine (/usr/bin/node)". */
  madeOf: string
}

interface Role {
  /** Official repositories (`library/…`) and last path components of other well-known registries' copies. */
  names: string[]
  /** The program that makes the role playable here. */
  program: string
  run: (machine: Machine) => RunConfig
}

function shellOf(program: string) {
  return (machine: Machine) => ({ Cmd: [machine.find(program) ? program : 'sh'] })
}
const command =
  (...args: string[]) =>
  (): RunConfig => ({ Cmd: args })

/** Ends at once when told to, unlike `sleep`, which as PID 1 would ignore the signal. */
const pause = "trap 'kill $!; exit' INT TERM; while :; do sleep 86400 & wait $!; done"

const roles: Role[] = [
  {
    names: ['node'],
    program: 'node',
    run: ({ nodeVersion }) => ({ Cmd: ['node'], Env: [`NODE_VERSION=${nodeVersion.replace(/^v/, '')}`] }),
  },
  { names: ['busybox', 'bash-static'], program: 'sh', run: command('sh') },
  { names: ['alpine'], program: 'sh', run: command('/bin/sh') },
  {
    names: ['debian', 'ubuntu', 'buildpack-deps', 'bash', 'fedora', 'centos', 'rockylinux', 'almalinux', 'amazonlinux'],
    program: 'sh',
    run: shellOf('bash'),
  },
  { names: ['python'], program: 'python3', run: command('python3') },
  { names: ['golang'], program: 'go', run: shellOf('bash') },
  { names: ['rust'], program: 'cargo', run: shellOf('bash') },
  { names: ['ruby'], program: 'ruby', run: command('irb') },
  { names: ['perl'], program: 'perl', run: command('perl', '-de0') },
  { names: ['php'], program: 'php', run: command('php', '-a') },
  { names: ['eclipse-temurin', 'openjdk', 'amazoncorretto'], program: 'java', run: command('jshell') },
  {
    names: ['nginx'],
    program: 'nginx',
    run: () => ({ Cmd: ['nginx', '-g', 'daemon off;'], ExposedPorts: { '80/tcp': {} }, StopSignal: 'SIGQUIT' }),
  },
  {
    names: ['redis'],
    program: 'redis-server',
    run: () => ({ Cmd: ['redis-server'], ExposedPorts: { '6379/tcp': {} } }),
  },
  { names: ['pause', 'pause-amd64', 'pause-arm64'], program: 'sh', run: command('sh', '-c', pause) },
]

const standardPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** The stand-in for an image, or undefined when this machine cannot play it. */
export function hostBaseFor(reference: Reference, machine: Machine): HostBase | undefined {
  if (reference.digest !== undefined) return undefined
  const role = roles.find(({ names }) => names.includes(baseName(reference)))
  const program = role && machine.find(role.program)
  if (!role || program === undefined) return undefined
  const run = role.run(machine)
  const created = machine.modifiedAt(program).toISOString()
  const { os, architecture, variant } = hostPlatform()
  const madeOf = `${role.program} of this machine (${program})`
  return {
    config: {
      created,
      architecture,
      ...(variant !== undefined ? { variant } : {}),
      os,
      'os.features': [hostBaseFeature],
      config: { ...run, Env: [`PATH=${searchPath(program).join(':')}`, ...(run.Env ?? [])], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: [] },
      history: [{ created, created_by: madeOf, comment: 'host base', empty_layer: true }],
    },
    madeOf,
  }
}

/** What people are told, and why: no registry, or a driver for which the files of an image are of no use. */
export function hostBaseWarning(reference: Reference, { madeOf }: HostBase, why: 'unreachable' | 'preferred'): string {
  const name = familiarName(withDefaultTag(reference))
  const reason =
    why === 'unreachable'
      ? `no registry answers for ${name}`
      : `containers here run this machine's own programs, not ${name}'s`
  return `WARNING: ${reason}: standing in for it with ${madeOf} and its system files. What is built on it runs on this machine only.`
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

/** This machine; programs are looked up in the directories that a container will search, then in our own PATH. */
export function thisMachine(): Machine {
  const directories = [...standardPath, ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean)]
  return {
    find: (program) => {
      if (program === 'node') return process.execPath
      return directories.map((directory) => join(directory, program)).find(isExecutable)
    },
    modifiedAt: (path) => statSync(realpathSync(path)).mtime,
    nodeVersion: process.version,
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
