import { describe, expect, test } from 'vitest'
import { parseMount } from './mounts.ts'
import { normalizeService } from './normalize.ts'
import { parsePort } from './ports.ts'
import { parseBytes, parseDuration, splitCommand } from './units.ts'

const context = {
  env: { HOME: '/home/ada', PASSED: 'on' },
  readEnvFile: () => ({ FROM_FILE: 'f', A: 'file' }),
}
function service(tree: Record<string, unknown>) {
  return normalizeService('web', { image: 'web', ...tree }, context)
}

test.each([
  ['80', [{ target: 80, protocol: 'tcp' }]],
  [8080, [{ target: 8080, protocol: 'tcp' }]],
  ['8080:80', [{ target: 80, published: '8080', protocol: 'tcp' }]],
  ['127.0.0.1:8080:80/udp', [{ target: 80, published: '8080', host_ip: '127.0.0.1', protocol: 'udp' }]],
  ['127.0.0.1::80', [{ target: 80, host_ip: '127.0.0.1', protocol: 'tcp' }]],
  ['[::1]:1:2', [{ target: 2, published: '1', host_ip: '::1', protocol: 'tcp' }]],
  [
    '3000-3001:4000-4001',
    [
      { target: 4000, published: '3000', protocol: 'tcp' },
      { target: 4001, published: '3001', protocol: 'tcp' },
    ],
  ],
  ['3000-3010:80', [{ target: 80, published: '3000-3010', protocol: 'tcp' }]],
  [{ target: 80, published: '8080', mode: 'host' }, [{ target: 80, published: '8080', protocol: 'tcp' }]],
])('port %j', (value, ports) => {
  expect(parsePort(value, 'ports')).toEqual(ports)
})

test.each([
  ['data:/x', { type: 'volume', source: 'data', target: '/x', read_only: false }],
  ['/a:/x:ro', { type: 'bind', source: '/a', target: '/x', read_only: true, create_host_path: true }],
  ['data:/x:ro,nocopy', { type: 'volume', source: 'data', target: '/x', read_only: true, nocopy: true }],
  ['/x', { type: 'volume', target: '/x', read_only: false }],
  [
    { type: 'bind', source: '/a', target: '/x', read_only: 'true' },
    { type: 'bind', source: '/a', target: '/x', read_only: true, create_host_path: false },
  ],
  [
    { type: 'tmpfs', target: '/x', tmpfs: { size: '1m', mode: 0o700 } },
    { type: 'tmpfs', target: '/x', read_only: false, size: 1 << 20, mode: 0o700 },
  ],
])('mount %j', (value, mount) => {
  expect(parseMount(value, 'volumes')).toEqual(mount)
})

test('environment: files first, then the service; a bare name is passed on', () => {
  const tree = { env_file: 'a.env', environment: ['A=own', 'PASSED', 'ABSENT'] }
  expect(service(tree).environment).toEqual({ FROM_FILE: 'f', A: 'own', PASSED: 'on' })
})

test('dependencies in both forms, and those that are implied', () => {
  const started = { condition: 'service_started', required: true, restart: false }
  expect(service({ depends_on: ['db'] }).depends_on).toEqual({ db: started })
  const tree = {
    depends_on: { db: { condition: 'service_healthy', restart: true } },
    links: ['db:x', 'cache'],
    volumes_from: ['files:ro', 'container:other'],
    pid: 'service:job',
  }
  expect(service(tree).depends_on).toEqual({
    db: { condition: 'service_healthy', required: true, restart: true },
    cache: { ...started, restart: true },
    job: { ...started, restart: true },
    files: started,
  })
})

test.each([
  [
    { test: 'curl x', interval: '1m30s', retries: 3 },
    { test: ['CMD-SHELL', 'curl x'], interval: 90e9, retries: 3 },
  ],
  [{ disable: true }, { test: ['NONE'] }],
  [{ timeout: '1s' }, { test: [], timeout: 1e9 }],
])('health check %j', (tree, check) => {
  expect(service({ healthcheck: tree }).healthcheck).toEqual(check)
})

test.each([
  [
    { deploy: { resources: { limits: { cpus: '0.5', memory: '64M', pids: 10 } } } },
    { cpus: 0.5, memory: 64 << 20, pids: 10 },
  ],
  [
    { mem_limit: '1g', cpus: 2 },
    { memory: 1 << 30, cpus: 2 },
  ],
])('limits %j', (tree, limits) => {
  expect(service(tree).limits).toEqual(limits)
})

test.each([
  [{ deploy: { restart_policy: { condition: 'on-failure', max_attempts: 3 } } }, 'on-failure:3'],
  [{ deploy: { restart_policy: { condition: 'any' } } }, 'unless-stopped'],
  [{ restart: 'no', deploy: { restart_policy: { condition: 'any' } } }, 'no'],
])('restart %j', (tree, policy) => {
  expect(service(tree).restart).toBe(policy)
})

test('secrets and configs in both forms', () => {
  const { secrets, configs } = service({
    secrets: ['a', { source: 'b', target: 'c', mode: '0440', uid: 1000 }],
    configs: ['a', { source: 'b', target: '/etc/b' }],
  })
  expect(secrets).toEqual([
    { source: 'a', target: '/run/secrets/a' },
    { source: 'b', target: '/run/secrets/c', mode: 0o440, uid: '1000' },
  ])
  expect(configs).toEqual([
    { source: 'a', target: '/a' },
    { source: 'b', target: '/etc/b' },
  ])
})

test('the network of the highest priority comes first', () => {
  expect(Object.keys(service({ networks: { a: null, b: { priority: 10 }, c: { priority: 5 } } }).networks)).toEqual([
    'b',
    'c',
    'a',
  ])
})

describe('refuses', () => {
  test.each([
    [{ foo: 1 }, "validating services.web: additional properties 'foo' not allowed"],
    [{ gpus: 'all' }, 'services.web.gpus is not supported by this compose'],
    [{ build: { ssh: ['default'] } }, 'services.web.build.ssh is not supported by this compose'],
    [{ ports: ['a:b'] }, 'services.web.ports: invalid port "a:b"'],
    [{ ports: '80' }, 'services.web.ports must be a list'],
    [{ ports: ['1-2:1-3'] }, 'invalid ranges specified'],
    [{ volumes: [':/x'] }, 'invalid volume specification ":/x"'],
    [{ volumes: [{ type: 'npipe', target: '/x' }] }, 'mounts of type "npipe" are not supported'],
    [{ depends_on: { db: { condition: 'x' } } }, 'unknown condition "x"'],
    [{ healthcheck: { test: ['curl'] } }, 'the first item must be either NONE, CMD or CMD-SHELL'],
    [{ image: undefined }, 'has neither an image nor a build context specified'],
    [{ network_mode: 'host', networks: ['a'] }, 'mutually exclusive `network_mode` and `networks`'],
    [{ container_name: 'x', scale: 2 }, "can't set container_name and replicas"],
    [{ privileged: 'perhaps' }, 'services.web.privileged must be a boolean'],
    [{ pull_policy: 'weekly' }, 'services.web.pull_policy: "weekly" is not supported'],
  ])('%j', (tree, message) => {
    expect(() => service(tree)).toThrow(message)
  })
})

test('units', () => {
  expect([parseDuration('1m30s'), parseDuration('500ms'), parseDuration(5)]).toEqual([90e9, 5e8, 5e9])
  expect([parseBytes('1kb'), parseBytes('64MiB'), parseBytes('10')]).toEqual([1024, 64 << 20, 10])
  expect(splitCommand(`sh -c "echo \\"a b\\"" 'c d'e f\\ g`)).toEqual(['sh', '-c', 'echo "a b"', 'c de', 'f g'])
  expect(() => splitCommand('a "b')).toThrow('unclosed quote')
  expect(() => parseDuration('soon')).toThrow('no duration')
})
