import { expect, test } from 'vitest'
import { mergeTrees } from './merge.ts'
import { Replacement } from './tree.ts'

test.each([
  ['a value', { image: 'a' }, { image: 'b' }, { image: 'b' }],
  ['mappings', { labels: { a: '1' } }, { labels: { b: '2' } }, { labels: { a: '1', b: '2' } }],
  [
    'a list and a mapping',
    { environment: ['A=1', 'B=2'] },
    { environment: { B: '3' } },
    { environment: { A: '1', B: '3' } },
  ],
  ['a variable passed on', { environment: ['A'] }, { environment: ['B=1'] }, { environment: { A: null, B: '1' } }],
  ['commands', { command: ['a', 'b'] }, { command: ['c'] }, { command: ['c'] }],
  [
    'a health check',
    { healthcheck: { test: ['CMD', 'a'], retries: 1 } },
    { healthcheck: { test: 'b' } },
    { healthcheck: { test: 'b', retries: 1 } },
  ],
  ['a short build', { build: 'a' }, { build: { target: 't' } }, { build: { context: 'a', target: 't' } }],
  ['ports', { ports: ['80:80'] }, { ports: ['80:80', '81:81'] }, { ports: ['80:80', '81:81'] }],
  [
    'a port in both forms',
    { ports: ['8080:80'] },
    { ports: [{ target: 80, published: '8080' }] },
    { ports: [{ target: 80, published: '8080' }] },
  ],
  ['mounts by target', { volumes: ['a:/x', 'b:/y'] }, { volumes: ['c:/x:ro'] }, { volumes: ['c:/x:ro', 'b:/y'] }],
  [
    'secrets by target',
    { secrets: ['s'] },
    { secrets: [{ source: 't', target: 's' }] },
    { secrets: [{ source: 't', target: 's' }] },
  ],
  [
    'dependencies in both forms',
    { depends_on: ['db'] },
    { depends_on: { cache: { condition: 'service_healthy' } } },
    { depends_on: { db: { condition: 'service_started' }, cache: { condition: 'service_healthy' } } },
  ],
  ['hosts in both forms', { extra_hosts: ['a:1'] }, { extra_hosts: { b: '2' } }, { extra_hosts: { a: '1', b: '2' } }],
  ['one and many', { env_file: 'a' }, { env_file: ['b'] }, { env_file: ['a', 'b'] }],
  [
    'logging of one driver',
    { logging: { driver: 'x', options: { a: 1 } } },
    { logging: { driver: 'x', options: { b: 2 } } },
    { logging: { driver: 'x', options: { a: 1, b: 2 } } },
  ],
  [
    'logging of another',
    { logging: { driver: 'x', options: { a: 1 } } },
    { logging: { driver: 'y' } },
    { logging: { driver: 'y' } },
  ],
  ['an override', { ports: ['80:80'] }, { ports: new Replacement(['81:81']) }, { ports: ['81:81'] }],
  ['a reset', { ports: ['80:80'], image: 'a' }, { ports: new Replacement(undefined) }, { image: 'a' }],
  ['an override of nothing', {}, { ports: new Replacement(['81:81']) }, { ports: ['81:81'] }],
  [
    'an override inside',
    { environment: { A: '1', B: '2' } },
    { environment: { A: new Replacement(undefined) } },
    { environment: { B: '2' } },
  ],
])('%s', (_name, base, over, merged) => {
  expect(mergeTrees(base, over, ['services', 'web'])).toEqual(merged)
})

test('a service may be called like a field', () => {
  const [base, over] = [{ services: { command: { image: 'a', tty: true } } }, { services: { command: { image: 'b' } } }]
  expect(mergeTrees(base, over)).toEqual({ services: { command: { image: 'b', tty: true } } })
})
