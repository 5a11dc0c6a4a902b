import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ImageSource } from '../image-source.ts'
import { isHostBase } from '../content/oci.ts'
import { parseReference } from '@dinghy/shared/docker/reference'
import { hostBaseFor, hostBaseLayer, hostBaseWarning } from './host-base.ts'
import { nodeEntrypoint, redisEntrypoint } from './host-files.ts'
import { ImageStore } from './image-store.ts'
import { viewOf } from './image-view.ts'
import type { Machine } from './machine.ts'
import { thisMachine } from './machine.ts'

/** A machine with these programs; what one prints is in `says`, by its path. */
function machine(programs: string[], says: Record<string, string> = {}): Machine {
  return {
    find: (program) => programs.find((path) => path.endsWith(`/${program}`)),
    stat: () => ({ modifiedAt: new Date('2024-05-06T07:08:09Z'), bytes: 5_000 }),
    nodeVersion: 'v20.1.2',
    output: (path) => says[path] ?? '',
  }
}
const full = machine(['/opt/n/bin/node', '/bin/sh', '/bin/bash', '/usr/bin/python3'], {
  '/usr/bin/python3': 'Python 3.11.2\n',
})

function warningFor(name: string, on: Machine): string {
  const reference = parseReference(name)
  const base = hostBaseFor(reference, on)
  if (!base) throw new Error(`${name} cannot be played`)
  return hostBaseWarning(reference, base, 'unreachable')
}

test.each([
  ['node:20-alpine', ['node']],
  ['docker.io/library/node', ['node']],
  ['public.ecr.aws/docker/library/node:20', ['node']],
  ['busybox', ['sh']],
  ['alpine:3.20', ['/bin/sh']],
  ['ubuntu:24.04', ['bash']],
  ['python:3.12-slim', ['python3']],
  ['gcr.io/google-containers/busybox', ['sh']],
])('%s runs %j', (name, cmd) => {
  const base = hostBaseFor(parseReference(name), full)
  expect(base?.config.config.Cmd).toEqual(cmd)
  expect(base && isHostBase(base.config)).toBe(true)
})

test.each([['nginx'], ['postgres:16'], ['me/node'], ['ghcr.io/me/busybox'], [`node@sha256:${'a'.repeat(64)}`]])(
  '%s cannot be played here',
  (name) => expect(hostBaseFor(parseReference(name), full)).toBeUndefined(),
)

test('the pause image waits until it is told to end', () => {
  const base = hostBaseFor(parseReference('registry.k8s.io/pause:3.10'), full)
  expect(base?.config.config.Cmd?.slice(0, 2)).toEqual(['sh', '-c'])
})

test('programs outside the usual directories are found first', () => {
  const env = hostBaseFor(parseReference('node'), full)?.config.config.Env
  expect(env).toContain('PATH=/opt/n/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
  expect(env).toContain('NODE_VERSION=20.1.2')
})

test('the same machine gives the same image, and the warning names both sides', () => {
  const first = hostBaseFor(parseReference('node:18'), full)
  expect(first?.config).toEqual(hostBaseFor(parseReference('node:20'), full)?.config)
  if (!first) throw new Error('node cannot be played')
  for (const why of ['unreachable', 'preferred'] as const) {
    const warning = hostBaseWarning(parseReference('node:18'), first, why)
    expect(warning).toContain('node:18')
    expect(warning).toContain('/opt/n/bin/node')
  }
})

test.each([
  ['node:22', 'Its version is 20.1.2, not 22.'],
  ['node:20-alpine', undefined],
  ['node:20.1', undefined],
  ['node:2', 'Its version is 20.1.2, not 2.'],
  ['node', undefined],
  ['python:3.12-slim', 'Its version is 3.11.2, not 3.12.'],
  ['python:3', undefined],
  ['ubuntu:24.04', undefined],
])('%s: what is said of the version', (name, sentence) => {
  const warning = warningFor(name, full)
  if (sentence === undefined) expect(warning).not.toContain('Its version')
  else expect(warning).toContain(sentence)
})

test.each([
  ['node', [], 'Not on this machine: npm, npx.'],
  ['busybox', [], 'Not on this machine: httpd, nc, nslookup, ping, telnet, top, vi, wget.'],
  ['busybox', ['/usr/bin/nc', '/usr/bin/top'], 'Not on this machine: httpd, nslookup, ping, telnet, vi, wget.'],
  ['alpine', ['/usr/bin/wget'], 'Not on this machine: apk.'],
  ['ubuntu', [], 'Not on this machine: apt-get.'],
  ['python', ['/usr/bin/pip3'], undefined],
  ['python', [], 'Not on this machine: pip.'],
])('%s on a machine with %j: what is missing', (name, more, sentence) => {
  const warning = warningFor(name, machine(['/opt/n/bin/node', '/bin/sh', '/bin/bash', '/usr/bin/python3', ...more]))
  if (sentence === undefined) expect(warning).not.toContain('Not on this machine')
  else expect(warning).toContain(sentence)
})

test('an installed busybox comes with its applets, before programs of the machine', () => {
  const installed = machine(['/bin/sh', '/bin/busybox'], { '/bin/busybox': '[\nhttpd\nnc\nsh\n' })
  const base = hostBaseFor(parseReference('busybox'), installed)
  expect(base?.madeOf).toBe('busybox of this machine (/bin/busybox)')
  expect(base?.files['/usr/local/bin/nc']).toEqual({ link: '/bin/busybox' })
  expect(Object.keys(base?.files ?? {})).toHaveLength(4)
  expect(warningFor('busybox', installed)).toContain('Not on this machine: nslookup, ping, telnet, top, vi, wget.')
})

test('what the name promises is in a layer: the same machine gives the same image', async () => {
  const root = mkdtempSync(join(tmpdir(), 'host-base-'))
  try {
    const images = new ImageStore({ root })
    const on = machine(['/usr/bin/python3', '/usr/sbin/nginx'])
    const source = new ImageSource({ images, machine: on, log: { warn: () => undefined }, hostBases: 'prefer' })
    const python = await source.ensure('python:3', {}, () => undefined)
    expect(python).toMatchObject({ hostBase: true, size: 5_000, repoTags: ['python:3'] })
    expect(readlinkSync(join(python.layers[0] ?? '', 'usr/local/bin/python'))).toBe('/usr/bin/python3')
    expect((await source.ensure('python:3', { alwaysPull: true }, () => undefined)).id).toBe(python.id)
    const nginx = await source.ensure('nginx', {}, () => undefined)
    expect(viewOf(nginx).readFile('/etc/nginx/nginx.conf')?.toString()).toContain('include /etc/nginx/conf.d/*.conf')
    expect(viewOf(nginx).lookup('/var/lib/nginx')?.stat.isDirectory()).toBe(true)
    const child = await images.create(nginx.config, { parent: nginx.id })
    expect(child.size).toBe(nginx.size)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('redis takes connections from everywhere, unless its command says otherwise', () => {
  const root = mkdtempSync(join(tmpdir(), 'redis-'))
  try {
    writeFileSync(join(root, 'entrypoint'), redisEntrypoint, { mode: 0o755 })
    writeFileSync(join(root, 'redis-server'), '#!/bin/sh\necho redis-server "$@"\n', { mode: 0o755 })
    const run = (...args: string[]): string =>
      execFileSync('/bin/sh', [join(root, 'entrypoint'), ...args], {
        env: { PATH: `${root}:/usr/bin:/bin` },
        encoding: 'utf8',
      }).trim()
    expect(run('redis-server')).toBe('redis-server --protected-mode no')
    expect(run('redis-server', '--appendonly', 'yes')).toBe('redis-server --appendonly yes --protected-mode no')
    expect(run('--port', '1')).toBe('redis-server --port 1 --protected-mode no')
    expect(run('/etc/redis.conf')).toBe('redis-server /etc/redis.conf --protected-mode no')
    expect(run('redis-server', '--protected-mode', 'yes')).toBe('redis-server --protected-mode yes')
    expect(run('redis-server', '--version')).toBe('redis-server --version')
    expect(run('echo', 'other')).toBe('other')
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('options and files that are no programs are for node', () => {
  const root = mkdtempSync(join(tmpdir(), 'node-'))
  try {
    writeFileSync(join(root, 'entrypoint'), nodeEntrypoint, { mode: 0o755 })
    writeFileSync(join(root, 'node'), '#!/bin/sh\necho node "$@"\n', { mode: 0o755 })
    writeFileSync(join(root, 'server.js'), '')
    const run = (...args: string[]): string =>
      execFileSync('/bin/sh', [join(root, 'entrypoint'), ...args], {
        cwd: root,
        env: { PATH: `${root}:/usr/bin:/bin` },
        encoding: 'utf8',
      }).trim()
    expect(run('node')).toBe('node')
    expect(run('-e', '1 + 1')).toBe('node -e 1 + 1')
    expect(run('server.js', '--port=1')).toBe('node server.js --port=1')
    expect(run('./server.js')).toBe('node ./server.js')
    expect(run('not-there')).toBe('node not-there')
    expect(run('echo', 'a  b', '*')).toBe('a  b *')
    expect(run('./node', 'x')).toBe('node x')
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('programs that only this user has are no use to a container with a root of its own', () => {
  const root = mkdtempSync(join(tmpdir(), 'machine-'))
  const before = process.env['PATH']
  try {
    writeFileSync(join(root, 'only-mine'), '#!/bin/sh\necho v1.2\n', { mode: 0o755 })
    writeFileSync(join(root, 'no-program'), '')
    process.env['PATH'] = `${root}:/nonexistent:${before}`
    const mine = thisMachine()
    expect(mine.find('only-mine')).toBe(join(root, 'only-mine'))
    expect(mine.find('no-program')).toBeUndefined()
    expect(mine.output(join(root, 'only-mine'), [])).toBe('v1.2\n')
    expect(mine.stat(join(root, 'only-mine')).bytes).toBe(readFileSync(join(root, 'only-mine')).length)
    expect(mine.output(join(root, 'nowhere'), [])).toBe('')
    const shared = thisMachine({ sharedOnly: true })
    expect(shared.find('only-mine')).toBeUndefined()
    expect(shared.find('sh')).toBeDefined()
  } finally {
    process.env['PATH'] = before
    rmSync(root, { recursive: true, force: true })
  }
})

test('this machine plays at least node', () => {
  expect(hostBaseFor(parseReference('node'), thisMachine())?.config.config.Cmd).toEqual(['node'])
})

test('of the machine’s files, only the system’s are shown', () => {
  const { shows } = hostBaseLayer()
  expect(['usr/bin/node', 'bin', 'etc/passwd', 'etc/ssl/certs/a.pem', 'etc'].map((path) => shows?.(path))).toEqual(
    Array.from({ length: 5 }, () => true),
  )
  expect(
    ['etc/shadow', 'etc/ssl/private/a.key', 'root', 'home/me', 'usrx', 'var'].map((path) => shows?.(path)),
  ).toEqual(Array.from({ length: 6 }, () => false))
})
