import { expect, test } from 'vitest'
import type { Machine } from './host-base.ts'
import { hostBaseFor, hostBaseLayer, hostBaseWarning, thisMachine } from './host-base.ts'
import { isHostBase } from '../content/oci.ts'
import { parseReference } from '@dinghy/shared/docker/reference'

function machine(...programs: string[]): Machine {
  return {
    find: (program) => programs.find((path) => path.endsWith(`/${program}`)),
    modifiedAt: () => new Date('2024-05-06T07:08:09Z'),
    nodeVersion: 'v20.1.2',
  }
}
const full = machine('/opt/n/bin/node', '/bin/sh', '/bin/bash', '/usr/bin/python3')

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
