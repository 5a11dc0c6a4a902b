/**
 * Directories that all containers on overlayfs share, made once at start-up under the snapshotter's own root:
 *
 *   rootfs/  empty: where each container mounts its root, in a mount namespace of its own, before it becomes `/`
 *   tools/   the root directory of the last steps of a start or an exec (drivers/linux/toolbox.ts)
 *   init/    a layer above every image, as Docker's "-init" layer: mount points and devices a container expects
 *   lowers/  links to the layers of each image, made when they are first needed and made anew by every runtime
 *   host/    a layer below host-base images: links, users and configuration that go with this machine's /usr
 */
import { execFileSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  constants,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import { toolEnvironment } from '../../tool-environment.ts'

/** The harmless devices that every container has. */
export const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

export interface BaseRoot {
  rootfs: string
  tools: string
  init: string
  host: string
  lowers: string
  /** This machine's top-level directories that hold programs and libraries and are no links: always `usr`. */
  hostDirectories: string[]
  /** Where this Node is installed, when that is not in one of hostDirectories. */
  nodePrefix: string | undefined
}

const programDirectories = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'nix', 'gnu']

export function prepareBaseRoot(root: string): BaseRoot {
  const rootfs = join(root, 'rootfs')
  const init = join(root, 'init')
  const host = join(root, 'host')
  const lowers = join(root, 'lowers')
  rmSync(lowers, { recursive: true, force: true })
  for (const dir of [rootfs, init, host, lowers]) mkdirSync(dir, { recursive: true, mode: 0o755 })
  const present = programDirectories.filter((name) => existsSync(`/${name}`))
  const hostDirectories = present.filter((name) => !lstatSync(`/${name}`).isSymbolicLink())
  const nodePrefix = dirname(dirname(process.execPath))
  const base: BaseRoot = {
    rootfs,
    tools: join(root, 'tools'),
    init,
    host,
    lowers,
    hostDirectories,
    nodePrefix: hostDirectories.some((name) => nodePrefix === `/${name}` || nodePrefix.startsWith(`/${name}/`))
      ? undefined
      : nodePrefix,
  }
  // Once per installation: copies of this machine's configuration are allowed to age.
  const stamp = join(root, 'made-for')
  const asWhom = userNamespace().isNested ? 'in a user namespace' : 'as root'
  const madeFor = `${layout} ${asWhom} ${process.execPath} ${readdirSync('/').join(' ')}\n`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === madeFor) return base
  makeInitLayer(init)
  makeHostLayer(base, present)
  writeFileSync(stamp, madeFor)
  return base
}

/** To be raised with every change of what is made here. */
const layout = 4

function makeInitLayer(init: string): void {
  for (const dir of ['dev/pts', 'dev/shm', 'dev/mqueue', 'proc', 'sys', 'etc', '.dinghy']) {
    mkdirSync(join(init, dir), { recursive: true })
  }
  for (const file of [
    'etc/hosts',
    'etc/hostname',
    'etc/resolv.conf',
    'dev/console',
    '.dockerenv',
    '.dinghy/preload.cjs',
  ]) {
    if (!existsSync(join(init, file))) writeFileSync(join(init, file), '')
  }
  link('/proc/mounts', join(init, 'etc/mtab'))
  link('/proc/self/fd', join(init, 'dev/fd'))
  for (const [fd, name] of ['stdin', 'stdout', 'stderr'].entries()) link(`/proc/self/fd/${fd}`, join(init, 'dev', name))
  link('pts/ptmx', join(init, 'dev/ptmx'))
  makeDevices(join(init, 'dev'))
}

/** As the machine has them; in a user namespace only places to bind the machine's to. */
function makeDevices(directory: string): void {
  const missing = devices.filter((name) => !existsSync(join(directory, name)))
  if (userNamespace().isNested) return missing.forEach((name) => writeFileSync(join(directory, name), ''))
  if (missing.length === 0) return
  execFileSync('cp', ['-R', '--', ...missing.map((name) => `/dev/${name}`), directory], { env: toolEnvironment })
  for (const name of missing) chmodSync(join(directory, name), 0o666) // whatever our umask is
}

/** Small, and nobody's secrets: no shadow file, no keys, no configuration of this machine's services. */
const hostEtcFiles = [
  'ld.so.cache',
  'ld.so.conf',
  'services',
  'protocols',
  'mime.types',
  'localtime',
  'timezone',
  'os-release',
  'debian_version',
  'alpine-release',
  'nsswitch.conf',
  'profile',
  'ssl/certs/ca-certificates.crt',
  'ssl/openssl.cnf',
  'pki/tls/certs/ca-bundle.crt',
]
const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
node:x:1000:1000:node:/home/node:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`
const group = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
www-data:x:33:
staff:x:50:
users:x:100:
node:x:1000:
nogroup:x:65534:
`

function makeHostLayer({ host, hostDirectories, nodePrefix }: BaseRoot, present: string[]): void {
  for (const dir of [
    'etc',
    'home',
    'mnt',
    'media',
    'opt',
    'run',
    'srv',
    'var/cache',
    'var/lib',
    'var/log',
    'var/spool',
  ]) {
    mkdirSync(join(host, dir), { recursive: true })
  }
  for (const [dir, mode] of [
    ['root', 0o700],
    ['tmp', 0o1777],
    ['var/tmp', 0o1777],
  ] as const) {
    mkdirSync(join(host, dir), { recursive: true })
    chmodSync(join(host, dir), mode)
  }
  mkdirSync(join(host, 'home/node'), { recursive: true })
  if (userNamespace().hasUser(1000)) chownSync(join(host, 'home/node'), 1000, 1000)
  link('/run', join(host, 'var/run'))
  for (const name of present) {
    if (hostDirectories.includes(name)) makeDirectories(`/${name}`, join(host, name))
    else link(readlinkSync(`/${name}`), join(host, name))
  }
  writeFileSync(join(host, 'etc/passwd'), passwd)
  writeFileSync(join(host, 'etc/group'), group)
  for (const file of hostEtcFiles) {
    if (!existsSync(join('/etc', file))) continue
    mkdirSync(dirname(join(host, 'etc', file)), { recursive: true })
    copyFileSync(join('/etc', file), join(host, 'etc', file))
  }
  // Debian's `awk`, `vi` and friends are links by way of here.
  const alternatives = existsSync('/etc/alternatives') ? readdirSync('/etc/alternatives', { withFileTypes: true }) : []
  mkdirSync(join(host, 'etc/alternatives'), { recursive: true })
  for (const entry of alternatives) {
    // Most of them are manual pages, which nobody looks for in a container.
    if (!entry.isSymbolicLink() || entry.name.endsWith('.gz')) continue
    link(readlinkSync(join('/etc/alternatives', entry.name)), join(host, 'etc/alternatives', entry.name))
  }
  if (nodePrefix !== undefined) {
    mkdirSync(join(host, nodePrefix), { recursive: true })
    mkdirSync(join(host, 'usr/local/bin'), { recursive: true })
    for (const name of ['node', 'npm', 'npx', 'corepack']) {
      if (existsSync(join(nodePrefix, 'bin', name)))
        link(join(nodePrefix, 'bin', name), join(host, 'usr/local/bin', name))
    }
  }
}

/**
 * In a user namespace the machine's directories belong to nobody, so nobody could add a file. Directories of our own
 * lie over them for the first few levels, where programs get installed: deeper ones, and the files, stay as they are.
 */
function makeDirectories(original: string, copy: string, levels = 3): void {
  mkdirSync(copy, { recursive: true })
  if (!userNamespace().isNested || levels === 0) return
  for (const entry of readdirSync(original, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const path = join(original, entry.name)
    const below = path === '/usr/local' ? levels + 2 : levels - 1
    if (isReadable(path)) makeDirectories(path, join(copy, entry.name), below)
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.X_OK)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false
    throw error
  }
}

function link(target: string, path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) symlinkSync(target, path)
}
