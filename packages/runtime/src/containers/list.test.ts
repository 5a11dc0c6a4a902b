import { expect, test } from 'vitest'
import { parseFilters } from '../filters.ts'
import { completeConfig, completeHostConfig } from './create-body.ts'
import { listFilters, selectContainers } from './list.ts'
import { never, type ContainerRecord, type Status } from './record.ts'

function record(name: string, created: string, status: Status, change: Partial<ContainerRecord> = {}): ContainerRecord {
  const id = Buffer.from(name).toString('hex').padEnd(64, '0')
  return {
    id,
    name,
    created,
    imageId: `sha256:${'a'.repeat(64)}`,
    imageLayers: [],
    hostBase: true,
    driver: 'linux',
    config: completeConfig({ Image: 'node', Cmd: ['x'], Labels: { app: name } }, {}, id),
    hostConfig: completeHostConfig(),
    networks: {},
    mounts: [],
    state: {
      status,
      exitCode: status === 'exited' ? 3 : 0,
      error: '',
      oomKilled: false,
      startedAt: never,
      finishedAt: never,
    },
    restartCount: 0,
    stoppedByUser: false,
    startedByUser: true,
    ...change,
  }
}

const volume = { type: 'volume', source: '/v', target: '/data', readOnly: false, mode: '', volume: 'data' } as const
const records = [
  record('new', '2025-01-03', 'running', { mounts: [volume] }),
  record('mid', '2025-01-02', 'exited', {
    config: completeConfig({ Cmd: ['x'], ExposedPorts: { '53/udp': {} } }, {}, ''),
  }),
  record('old', '2025-01-01', 'paused'),
]

function select(filters: object, options: { all?: boolean; limit?: number } = {}) {
  return selectContainers(
    records,
    {
      all: options.all ?? true,
      limit: options.limit ?? 0,
      filters: parseFilters(JSON.stringify(filters), listFilters),
    },
    (reference) => records.find(({ name }) => name === reference) as ContainerRecord,
    {
      published: ({ name }) => (name === 'new' ? [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] : []),
      descendants: new Map([['node', new Set([`sha256:${'a'.repeat(64)}`])]]),
    },
  ).map(({ name }) => name)
}

test('without -a only what is up is shown, unless something else asks for the rest', () => {
  expect(select({}, { all: false })).toEqual(['new', 'old'])
  expect(select({})).toEqual(['new', 'mid', 'old'])
  expect(select({ status: ['exited'] }, { all: false })).toEqual(['mid'])
  expect(select({}, { all: false, limit: 2 })).toEqual(['new', 'mid'])
})

test.each([
  [{ name: ['^n'] }, ['new']],
  [{ name: ['ne', 'ol'] }, ['new', 'old']],
  [{ exited: ['3'] }, ['mid']],
  [{ exited: ['0'] }, []],
  [{ label: ['app=old'] }, ['old']],
  [{ before: ['new'] }, ['mid', 'old']],
  [{ since: ['old'] }, ['new', 'mid']],
  [{ volume: ['data'] }, ['new']],
  [{ volume: ['/data'] }, ['new']],
  [{ ancestor: ['node'] }, ['new', 'mid', 'old']],
  [{ ancestor: ['busybox'] }, []],
  [{ publish: ['8080'] }, ['new']],
  [{ publish: ['80'] }, []],
  [{ publish: ['8000-9000/tcp'] }, ['new']],
  [{ publish: ['8080/udp'] }, []],
  [{ expose: ['80'] }, ['new']],
  [{ expose: ['53/udp'] }, ['mid']],
  [{ publish: ['1'], expose: ['50-60/udp'] }, ['mid']],
  [{ health: ['none'] }, ['new', 'mid', 'old']],
  [{ id: ['6e6577'] }, ['new']],
])('%o selects %o', (filters, expected) => {
  expect(select(filters)).toEqual(expected)
})

test.each([[{ status: ['sleeping'] }], [{ exited: ['x'] }], [{ publish: ['http'] }]])(
  '%o is a bad request',
  (filters) => {
    expect(() => select(filters)).toThrow('invalid filter')
  },
)
