import { expect, test } from 'vitest'
import { normalizeService } from './load/normalize.ts'
import type { Project } from './model.ts'
import { configHash, createBody } from './spec.ts'
import { serviceNamed } from './verb.ts'

const context = { env: {}, readEnvFile: () => ({}) }

function project(services: Record<string, Record<string, unknown>>, more: Partial<Project> = {}): Project {
  return {
    name: 'p',
    directory: '/p',
    files: ['/p/compose.yaml'],
    services: Object.fromEntries(
      Object.entries(services).map(([name, tree]) => [name, normalizeService(name, { image: 'i', ...tree }, context)]),
    ),
    disabled: [],
    networks: { default: { name: 'p_default', external: false, labels: {} } },
    volumes: { data: { name: 'p_data', external: false, labels: {} } },
    secrets: {},
    configs: {},
    ...more,
  }
}

function bodyOf(tree: Record<string, unknown>, options: Partial<Parameters<typeof createBody>[2]> = {}) {
  const own = project({ web: tree, db: {} })
  return createBody(own, serviceNamed(own.services, 'web'), { number: 1, imageId: 'sha256:1', ...options })
}

function hashOf(tree: Record<string, unknown>, more: Partial<Project> = {}): string {
  const own = project({ web: tree }, more)
  return configHash(own, serviceNamed(own.services, 'web'))
}

test.each<[string, Record<string, unknown>, object]>([
  ['a command', { command: 'sh -c "a b"' }, { Cmd: ['sh', '-c', 'a b'] }],
  ['no entrypoint', { entrypoint: [] }, { Entrypoint: [''] }],
  ['seconds rounded up', { stop_grace_period: '1500ms' }, { StopTimeout: 2 }],
  ['what the engine takes as it is', { user: 'me', cap_add: ['X'] }, { User: 'me', HostConfig: { CapAdd: ['X'] } }],
  [
    'limits',
    { ulimits: { nofile: 9 }, deploy: { resources: { limits: { cpus: '0.5', memory: '1k' } } } },
    { HostConfig: { Ulimits: [{ Name: 'nofile', Soft: 9, Hard: 9 }], NanoCpus: 5e8, Memory: 1024 } },
  ],
  [
    'ports',
    { ports: ['1:80', '[::1]:2:80'], expose: [9] },
    {
      ExposedPorts: { '80/tcp': {}, '9/tcp': {} },
      HostConfig: {
        PortBindings: {
          '80/tcp': [
            { HostIp: '', HostPort: '1' },
            { HostIp: '::1', HostPort: '2' },
          ],
        },
      },
    },
  ],
  ['another service’s namespace', { network_mode: 'service:db' }, { HostConfig: { NetworkMode: 'container:p-db-1' } }],
  ['its volumes', { volumes_from: ['db:ro', 'container:x'] }, { HostConfig: { VolumesFrom: ['p-db-1:ro', 'x'] } }],
  [
    'names on its networks',
    { networks: { default: { aliases: ['w'] } }, container_name: 'own' },
    {
      HostConfig: { NetworkMode: 'p_default' },
      NetworkingConfig: { EndpointsConfig: { p_default: { Aliases: ['web', 'own', 'w'] } } },
    },
  ],
  ['a restart policy', { restart: 'on-failure:3' }, { HostConfig: { RestartPolicy: { MaximumRetryCount: 3 } } }],
])('%s', (_name, tree, expected) => {
  expect(bodyOf(tree)).toMatchObject(expected)
})

test('anonymous volumes move on to the container that replaces', () => {
  const { HostConfig } = bodyOf(
    { volumes: ['data:/data', '/cache'] },
    { inherited: { '/cache': 'abc', '/from-image': 'def' } },
  ) as { HostConfig: { Mounts: { Source?: string; Target: string }[] } }
  expect(HostConfig.Mounts.map(({ Source, Target }) => [Source, Target])).toEqual([
    ['p_data', '/data'],
    ['abc', '/cache'],
    ['def', '/from-image'],
  ])
})

test('a one-off container publishes nothing and answers to no name', () => {
  const oneOff = { tty: false, stdin: true, remove: true, command: ['x'], environment: { A: '2' } }
  const tree = { ports: ['1:80'], environment: { A: '1' }, restart: 'always', command: 'y' }
  expect(bodyOf(tree, { oneOff })).toMatchObject({
    Cmd: ['x'],
    Env: ['A=2'],
    OpenStdin: true,
    HostConfig: { PortBindings: {}, AutoRemove: true, RestartPolicy: { Name: 'no' } },
    NetworkingConfig: { EndpointsConfig: { p_default: { Aliases: [] } } },
  })
})

test('the hash notices what the container is made of, and nothing else', () => {
  const hash = hashOf({})
  expect(hashOf({ deploy: { replicas: 5 }, depends_on: [], profiles: ['x'], pull_policy: 'always' })).toBe(hash)
  expect(hashOf({ environment: { A: '1' } })).not.toBe(hash)
  expect(hashOf({ environment: { A: '1', B: '2' } })).toBe(hashOf({ environment: ['B=2', 'A=1'] }))
})

test('the hash notices what a config says', () => {
  const withText = (content: string) =>
    hashOf({ configs: ['c'] }, { configs: { c: { name: 'c', external: false, content } } })
  expect(withText('a')).toBe(withText('a'))
  expect(withText('a')).not.toBe(withText('b'))
})
