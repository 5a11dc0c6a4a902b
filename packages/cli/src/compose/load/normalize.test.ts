import { describe, expect, test } from 'vitest'
import { normalizeService, parsePort } from './normalize.ts'
import { parseBytes, parseDuration, splitCommand } from './units.ts'

const context = {
  project: 'p',
  directory: '/p',
  env: { HOME: '/home/ada', PASSED: 'on' },
  readEnvFile: () => ({ FROM_FILE: 'f', A: 'file' }),
}
const service = (tree: Record<string, unknown>) => normalizeService('web', { image: 'web', ...tree }, context)

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
  ['./a:/x:ro', { type: 'bind', source: '/p/a', target: '/x', read_only: true }],
  ['~/a:/x', { type: 'bind', source: '/home/ada/a', target: '/x', read_only: false }],
  ['/x', { type: 'volume', target: '/x', read_only: false }],
  [
    { type: 'bind', source: './a', target: '/x', read_only: true },
    { type: 'bind', source: '/p/a', target: '/x', read_only: true },
  ],
  [
    { type: 'tmpfs', target: '/x' },
    { type: 'tmpfs', target: '/x', read_only: false },
  ],
])('mount %j', (value, mount) => {
  expect(service({ volumes: [value] }).volumes).toEqual([mount])
})

test('environment: files first, then the service; a bare name is passed on', () => {
  const tree = { env_file: 'a.env', environment: ['A=own', 'PASSED', 'ABSENT'] }
  expect(service(tree).environment).toEqual({ FROM_FILE: 'f', A: 'own', PASSED: 'on' })
})

test('dependencies and health in both forms', () => {
  expect(service({ depends_on: ['db'] }).depends_on).toEqual({
    db: { condition: 'service_started', required: true, restart: false },
  })
  expect(service({ healthcheck: { test: 'curl x', interval: '1m30s', retries: 3 } }).healthcheck).toEqual({
    test: ['CMD-SHELL', 'curl x'],
    interval: 90e9,
    retries: 3,
  })
  expect(service({ healthcheck: { disable: true } }).healthcheck).toEqual({ test: ['NONE'] })
})

test('limits from deploy or from the old fields', () => {
  expect(service({ deploy: { resources: { limits: { cpus: '0.5', memory: '64M', pids: 10 } } } }).limits).toEqual({
    cpus: 0.5,
    memory: 64 << 20,
    pids: 10,
  })
  expect(service({ mem_limit: '1g', cpus: 2 }).limits).toEqual({ memory: 1 << 30, cpus: 2 })
})

describe('refuses', () => {
  test.each([
    [{ foo: 1 }, "validating services.web: additional properties 'foo' not allowed"],
    [{ devices: ['/dev/x'] }, 'services.web.devices is not supported by this compose'],
    [{ ports: ['a:b'] }, 'services.web.ports: invalid port "a:b"'],
    [{ ports: '80' }, 'services.web.ports must be a list'],
    [{ ports: ['1-2:1-3'] }, 'invalid ranges specified'],
    [{ depends_on: { db: { condition: 'x' } } }, 'unknown condition "x"'],
    [{ healthcheck: { test: ['curl'] } }, 'the first item must be either NONE, CMD or CMD-SHELL'],
    [{ image: undefined }, 'has neither an image nor a build context specified'],
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
