import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Resources } from '../registry/resources.ts'
import { SqliteStorage } from '../storage/sqlite.ts'
import { clusterDiff } from './cluster-diff.ts'
import { parseFieldPath, type Step } from './field-path.ts'
import { whoSet } from './who.ts'

let storage: SqliteStorage
let newest: Map<string, number>
beforeEach(() => {
  storage = new SqliteStorage({ path: ':memory:', clock: new FakeClock() })
  newest = new Map()
})
afterEach(() => storage.close())

interface Wanted {
  actor?: string
  deleted?: boolean
  cause?: number
  [field: string]: unknown
}

async function write(key: string, { actor = 'kubectl', deleted = false, cause, ...fields }: Wanted): Promise<number> {
  const [, , kind = '', name = ''] = key.split('/')
  const { metadata, ...rest } = fields as { metadata?: object }
  const object = { apiVersion: 'v1', kind, metadata: { name, ...metadata }, ...rest } as unknown as KubernetesObject
  const [entry] = await storage.write([{ key, expected: newest.get(key) ?? 0, object, actor, cause, deleted }])
  const revision = entry?.revision ?? storage.revision
  newest.set(key, deleted ? 0 : revision)
  return revision
}

function path(text: string): Step[] {
  return parseFieldPath(text) ?? []
}

const web = '/apps/deployments/web'

test('who: every write that gave the field another value, and none that left it alone', async () => {
  await write(web, { spec: { replicas: 1 } })
  await write(web, { spec: { replicas: 1 }, status: { replicas: 1 }, actor: 'controller' })
  await write(web, { spec: { replicas: 3 }, actor: 'autoscaler', cause: 2 })
  expect(whoSet(storage, web, path('.spec.replicas'))).toMatchObject({
    value: 3,
    writes: [
      { revision: 3, actor: 'autoscaler', verb: 'update', cause: 2, before: 1, after: 3 },
      { revision: 1, actor: 'kubectl', verb: 'create', after: 1 },
    ],
  })
})

test('who: a deletion took every field away', async () => {
  await write(web, { spec: { replicas: 1 } })
  await write(web, { spec: { replicas: 1 }, deleted: true })
  const story = whoSet(storage, web, path('.spec.replicas'))
  expect(story).not.toHaveProperty('value')
  expect(story?.writes.map(({ verb, before }) => [verb, before])).toEqual([
    ['delete', 1],
    ['create', undefined],
  ])
})

test('who: nothing is known of an object that never was', () => {
  expect(whoSet(storage, web, path('.spec.replicas'))).toBeUndefined()
})

function owner(manager: string, operation: string, fieldsV1: object) {
  return { manager, operation, apiVersion: 'apps/v1', fieldsType: 'FieldsV1', fieldsV1 }
}

test.each([
  ['.spec.replicas', ['autoscaler']],
  ['.spec.containers[0].image', ['kubectl']],
  ['.spec.containers[name=log].image', ['sidecars']],
  ['.spec.containers[0]', ['kubectl']],
  ['.metadata.finalizers[0]', ['protector']],
  ['.spec.template.anything.below', ['templates']],
  ['.spec.paused', []],
])('who: %s is owned by %j', async (field, managers) => {
  await write(web, {
    metadata: {
      finalizers: ['example.com/keep'],
      managedFields: [
        owner('kubectl', 'Apply', { 'f:spec': { 'f:containers': { 'k:{"name":"web"}': { '.': {}, 'f:image': {} } } } }),
        owner('autoscaler', 'Update', { 'f:spec': { 'f:replicas': {} } }),
        owner('sidecars', 'Apply', {
          'f:spec': { 'f:containers': { 'k:{"name":"log"}': { '.': {}, 'f:image': {} } } },
        }),
        owner('protector', 'Update', { 'f:metadata': { 'f:finalizers': { 'v:"example.com/keep"': {} } } }),
        owner('templates', 'Apply', { 'f:spec': { 'f:template': {} } }),
      ],
    },
    spec: {
      replicas: 1,
      containers: [
        { name: 'web', image: 'a' },
        { name: 'log', image: 'b' },
      ],
      template: {},
    },
  })
  expect(whoSet(storage, web, path(field))?.owners.map(({ manager }) => manager)).toEqual(managers)
})

test('diff: what was created, changed, replaced and deleted between two revisions', async () => {
  const location = (group: string, plural: string) => ({ storage: { group, plural } })
  const resources = { all: () => [location('apps', 'deployments'), location('coordination.k8s.io', 'leases')] }
  await write(web, { spec: { replicas: 1 } })
  await write('/apps/deployments/old', {})
  const from = await write('/apps/deployments/again', { spec: { paused: true } })
  await write(web, { spec: { replicas: 2 } })
  await write('/apps/deployments/old', { deleted: true })
  await write('/apps/deployments/again', { deleted: true })
  await write('/apps/deployments/again', { spec: { paused: false } })
  await write('/coordination.k8s.io/leases/beat', {})
  const to = await write('/apps/deployments/new', {})
  await write(web, { spec: { replicas: 9 } })
  const objects = clusterDiff(storage, resources as unknown as Resources, from, to)
  expect(objects.map(({ name, what, changes }) => [name, what, changes])).toEqual([
    ['again', 'replaced', [{ path: '/spec/paused', before: true, after: false }]],
    ['new', 'created', []],
    ['old', 'deleted', []],
    ['web', 'changed', [{ path: '/spec/replicas', before: 1, after: 2 }]],
  ])
})
