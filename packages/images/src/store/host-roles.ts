/**
 * Which well-known images this machine can stand in for: by which of its programs, how such a container runs, what has
 * to be added so that the name works as its users expect, and what else they count on.
 */
import { posix } from 'node:path'
import type { RunConfig } from '../content/oci.ts'
import type { HostFiles } from './host-files.ts'
import { nginxFiles, nodeEntrypoint, redisEntrypoint } from './host-files.ts'
import type { Machine } from './machine.ts'

export interface Role {
  /** Official repositories (`library/…`) and last path components of other well-known registries' copies. */
  names: string[]
  /** The first of them that is installed makes the role playable here. */
  programs: string[]
  run: (machine: Machine) => RunConfig
  files?: (machine: Machine) => HostFiles
  /** Further programs that an image of this name has. */
  expects?: string[]
  /** What makes the program tell its version, where the image's tags begin with it. Node's is known. */
  versionArgs?: string[]
}

const command =
  (...args: string[]) =>
  (): RunConfig => ({ Cmd: args })

function shell(machine: Machine): RunConfig {
  return { Cmd: [machine.find('bash') ? 'bash' : 'sh'] }
}

/** Ends at once when told to, unlike `sleep`, which as PID 1 would ignore the signal. */
const pause = "trap 'kill $!; exit' INT TERM; while :; do sleep 86400 & wait $!; done"

/** What people run in a busybox. */
const usualApplets = ['httpd', 'nc', 'nslookup', 'ping', 'telnet', 'top', 'vi', 'wget']

export const roles: Role[] = [
  {
    names: ['node'],
    programs: ['node'],
    run: ({ nodeVersion }) => ({
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['node'],
      Env: [`NODE_VERSION=${nodeVersion.replace(/^v/, '')}`],
    }),
    files: () => ({ '/usr/local/bin/docker-entrypoint.sh': { text: nodeEntrypoint, mode: 0o755 } }),
    expects: ['npm', 'npx'],
    versionArgs: ['--version'],
  },
  {
    names: ['busybox', 'bash-static'],
    programs: ['busybox', 'sh'],
    run: command('sh'),
    files: applets,
    expects: usualApplets,
  },
  {
    names: ['alpine'],
    programs: ['busybox', 'sh'],
    run: command('/bin/sh'),
    files: applets,
    expects: ['apk', 'wget'],
  },
  {
    names: ['debian', 'ubuntu', 'buildpack-deps'],
    programs: ['sh'],
    run: shell,
    expects: ['bash', 'apt-get'],
  },
  {
    names: ['fedora', 'centos', 'rockylinux', 'almalinux', 'amazonlinux'],
    programs: ['sh'],
    run: shell,
    expects: ['bash', 'dnf'],
  },
  { names: ['bash'], programs: ['sh'], run: shell, expects: ['bash'] },
  {
    names: ['python'],
    programs: ['python3'],
    run: command('python3'),
    files: (machine) => ({ ...alias('python', 'python3', machine), ...alias('pip', 'pip3', machine) }),
    expects: ['python', 'pip'],
    versionArgs: ['--version'],
  },
  { names: ['golang'], programs: ['go'], run: shell, expects: ['gcc', 'git'], versionArgs: ['version'] },
  { names: ['rust'], programs: ['cargo'], run: shell, expects: ['rustc'], versionArgs: ['--version'] },
  {
    names: ['ruby'],
    programs: ['ruby'],
    run: command('irb'),
    expects: ['irb', 'gem', 'bundle'],
    versionArgs: ['--version'],
  },
  { names: ['perl'], programs: ['perl'], run: command('perl', '-de0'), expects: ['cpan'], versionArgs: ['--version'] },
  { names: ['php'], programs: ['php'], run: command('php', '-a'), versionArgs: ['--version'] },
  {
    names: ['eclipse-temurin', 'openjdk', 'amazoncorretto'],
    programs: ['java'],
    run: command('jshell'),
    expects: ['jshell', 'javac'],
    versionArgs: ['-version'],
  },
  {
    names: ['nginx'],
    programs: ['nginx'],
    run: () => ({ Cmd: ['nginx', '-g', 'daemon off;'], ExposedPorts: { '80/tcp': {} }, StopSignal: 'SIGQUIT' }),
    files: () => nginxFiles,
    versionArgs: ['-v'],
  },
  {
    names: ['redis'],
    programs: ['redis-server'],
    run: () => ({
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['redis-server'],
      ExposedPorts: { '6379/tcp': {} },
      Volumes: { '/data': {} },
      WorkingDir: '/data',
    }),
    files: () => ({
      '/usr/local/bin/docker-entrypoint.sh': { text: redisEntrypoint, mode: 0o755 },
      '/data': { directory: true },
    }),
    expects: ['redis-cli'],
    versionArgs: ['--version'],
  },
  { names: ['pause', 'pause-amd64', 'pause-arm64'], programs: ['sh'], run: command('sh', '-c', pause) },
]

/** Links to an installed busybox, before the machine's own programs of the same names in the search path. */
function applets(machine: Machine): HostFiles {
  const busybox = machine.find('busybox')
  if (busybox === undefined) return {}
  const names = machine
    .output(busybox, ['--list'])
    .split('\n')
    .filter((name) => /^[\w.[-]+$/.test(name))
  return Object.fromEntries(names.map((name) => [inLocalBin(name), { link: busybox }]))
}

/** `python` for a machine that has only `python3`. */
function alias(name: string, program: string, machine: Machine): HostFiles {
  const target = machine.find(program)
  return target === undefined || machine.find(name) !== undefined ? {} : { [inLocalBin(name)]: { link: target } }
}

export function inLocalBin(name: string): string {
  return posix.join('/usr/local/bin', name)
}
