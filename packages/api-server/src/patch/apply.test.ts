import type { KubernetesObject, ManagedFieldsEntry } from '@dinghy/shared/api/types'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { mergedOrder } from './apply-merge.ts'
import { serverSideApply } from './apply.ts'
import { FieldSet } from './field-set.ts'
import { ownersAfterUpdate, writeOwners } from './managed-fields.ts'

const types = loadSchema()
const type = 'apps.v1.Deployment'
const time = '2025-01-01T00:00:00Z'
const later = '2025-01-02T00:00:00Z'

type Loose = KubernetesObject & { spec?: object }

function object(spec: object, metadata: object = {}): Loose {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', ...metadata }, spec } as unknown as Loose
}

interface Options {
  manager?: string
  force?: boolean
  at?: string
  apiVersion?: string
}

function apply(
  live: Loose | undefined,
  applied: Loose,
  { manager = 'me', force = false, at = time, apiVersion = 'apps/v1' }: Options = {},
): Loose {
  const who = { name: manager, apiVersion }
  const ignored = FieldSet.fromFieldsV1({ 'f:status': {} })
  return serverSideApply({ live, applied, manager: who, force, ignored, time: at, type, types })
}

/** A write that is no apply. */
function update(previous: Loose | undefined, next: Loose, manager: string, at = time): Loose {
  const who = { name: manager, operation: 'Update' as const, apiVersion: 'apps/v1' }
  const owners = writeOwners(ownersAfterUpdate(previous, next, who, at, type, types))
  return { ...next, metadata: { ...next.metadata, managedFields: owners } }
}

function fieldsOf(live: Loose, manager: string, operation = 'Apply'): string[] {
  const entry = live.metadata.managedFields?.find(
    (e: ManagedFieldsEntry) => e.manager === manager && e.operation === operation,
  )
  return FieldSet.fromFieldsV1(entry?.fieldsV1).paths()
}

function without(metadata: KubernetesObject['metadata'], field: 'labels' | 'managedFields'): object {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => key !== field))
}

function container(name: string, more: object = {}) {
  return { name, ...more }
}
function pods(...containers: object[]) {
  return { template: { spec: { containers } } }
}

test('whoever applies in another version goes on with what it owned', () => {
  const first = apply(undefined, object({ replicas: 1, paused: true }), { apiVersion: 'apps/v1beta2' })
  const second = apply(first, object({ replicas: 2 }), { at: later })
  expect(second.spec).toEqual({ replicas: 2 })
  expect(second.metadata.managedFields).toMatchObject([{ manager: 'me', apiVersion: 'apps/v1', time: later }])
  expect(() => apply(second, object({ replicas: 3 }), { manager: 'other', apiVersion: 'apps/v1beta2' })).toThrow(
    'conflict with "me": .spec.replicas',
  )
})

describe('applying to nothing', () => {
  const created = apply(
    undefined,
    object(
      { replicas: 1, ...pods(container('c', { image: 'a', ports: [{ containerPort: 80 }] })) },
      { labels: { a: 'b' } },
    ),
  )

  test('owns what was sent, by key, and not the name', () => {
    expect(fieldsOf(created, 'me')).toEqual([
      '.metadata.labels.a',
      '.spec.replicas',
      '.spec.template.spec.containers[name="c"]',
      '.spec.template.spec.containers[name="c"].image',
      '.spec.template.spec.containers[name="c"].name',
      '.spec.template.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"]',
      '.spec.template.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort',
    ])
  })

  test('writes fieldsV1 as Kubernetes does', () => {
    expect(created.metadata.managedFields).toMatchObject([
      {
        manager: 'me',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        time,
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:a': {} } },
          'f:spec': {
            'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {} } } } },
          },
        },
      },
    ])
  })
})

describe('applying again', () => {
  const first = apply(
    undefined,
    object(
      { replicas: 1, paused: true, ...pods(container('a', { image: '1' }), container('b')) },
      { labels: { a: '1', b: '2' } },
    ),
  )

  test('the same changes nothing, not even the time', () => {
    const metadata = without(first.metadata, 'managedFields')
    expect(apply(first, object(first.spec ?? {}, metadata), { at: later })).toEqual(first)
  })

  test('what is no longer sent is removed', () => {
    const next = apply(
      first,
      object({ replicas: 2, ...pods(container('a', { image: '1' })) }, { labels: { a: '1' } }),
      { at: later },
    )
    expect(next.spec).toEqual({ replicas: 2, ...pods(container('a', { image: '1' })) })
    expect(next.metadata.labels).toEqual({ a: '1' })
    expect(next.metadata.managedFields?.[0]?.time).toBe(later)
  })

  test('what nobody owns – defaults – stays, unless its item goes', () => {
    const defaulted = object(
      {
        ...first.spec,
        revisionHistoryLimit: 10,
        ...pods(container('a', { image: '1', tty: true }), container('b', { tty: true })),
      },
      first.metadata,
    )
    const next = apply(defaulted, object({ replicas: 1, ...pods(container('a', { image: '1' })) }))
    expect(next.spec).toEqual({
      replicas: 1,
      revisionHistoryLimit: 10,
      ...pods(container('a', { image: '1', tty: true })),
    })
  })

  test('a field that somebody else applies, too, stays', () => {
    const shared = apply(first, object({ paused: true }), { manager: 'you' })
    const next = apply(shared, object({ replicas: 1 }))
    expect(next.spec).toMatchObject({ paused: true })
    expect(fieldsOf(next, 'you')).toEqual(['.spec.paused'])
  })

  test('new items go where the author put them', () => {
    const next = apply(
      first,
      object({ replicas: 1, paused: true, ...pods(container('a', { image: '1' }), container('n'), container('b')) }),
    )
    expect(next.spec).toMatchObject(pods({ name: 'a' }, { name: 'n' }, { name: 'b' }))
  })
})

describe('two managers', () => {
  const mine = apply(undefined, object({ replicas: 1, paused: true }))

  test('may own the same field while they agree', () => {
    const both = apply(mine, object({ replicas: 1 }), { manager: 'you' })
    expect(fieldsOf(both, 'me')).toEqual(['.spec.paused', '.spec.replicas'])
    expect(fieldsOf(both, 'you')).toEqual(['.spec.replicas'])
  })

  test('are in conflict when they do not', () => {
    expect(() => apply(mine, object({ replicas: 2 }), { manager: 'you' })).toThrow(
      expect.objectContaining({
        code: 409,
        reason: 'Conflict',
        message: 'Apply failed with 1 conflict: conflict with "me": .spec.replicas',
        status: expect.objectContaining({
          details: {
            causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "me"', field: '.spec.replicas' }],
          },
        }),
      }),
    )
  })

  test('several conflicts are listed by owner', () => {
    const other = update(mine, object({ ...mine.spec, minReadySeconds: 5 }, mine.metadata), 'kubectl-edit', later)
    const apply2 = () => apply(other, object({ replicas: 2, paused: false, minReadySeconds: 6 }), { manager: 'you' })
    expect(apply2).toThrow(
      [
        'Apply failed with 3 conflicts: conflicts with "me":',
        '- .spec.paused',
        '- .spec.replicas',
        'conflicts with "kubectl-edit" using apps/v1 at 2025-01-02T00:00:00Z:',
        '- .spec.minReadySeconds',
      ].join('\n'),
    )
  })

  test('force takes the field over', () => {
    const next = apply(mine, object({ replicas: 2 }), { manager: 'you', force: true })
    expect(next.spec).toEqual({ replicas: 2, paused: true })
    expect(fieldsOf(next, 'me')).toEqual(['.spec.paused'])
    expect(fieldsOf(next, 'you')).toEqual(['.spec.replicas'])
  })
})

describe('updates', () => {
  const created = update(
    undefined,
    object({ replicas: 1, strategy: { type: 'Recreate' } }, { labels: { a: '1' } }),
    'kubectl-create',
  )

  test('own what they create; a struct by value needs no owner of its own', () => {
    expect(fieldsOf(created, 'kubectl-create', 'Update')).toEqual([
      '.metadata.labels',
      '.metadata.labels.a',
      '.spec.replicas',
      '.spec.strategy.type',
    ])
  })

  test('own what they change, and others lose it', () => {
    const scaled = update(created, object({ ...created.spec, replicas: 5 }, created.metadata), 'kubectl-scale', later)
    expect(fieldsOf(scaled, 'kubectl-scale', 'Update')).toEqual(['.spec.replicas'])
    expect(fieldsOf(scaled, 'kubectl-create', 'Update')).not.toContain('.spec.replicas')
  })

  test('what is removed is nobody’s', () => {
    const metadata = without(created.metadata, 'labels')
    const bare = update(created, object(created.spec ?? {}, metadata), 'kubectl-label', later)
    expect(bare.metadata.managedFields?.map((entry) => entry.manager)).toEqual(['kubectl-create'])
    expect(fieldsOf(bare, 'kubectl-create', 'Update')).not.toContain('.metadata.labels.a')
  })

  test('an update that changes nothing leaves ownership alone', () => {
    expect(update(created, created, 'somebody', later)).toEqual(created)
  })

  test('a client that leaves managedFields out does not clear them; [{}] does', () => {
    const metadata = without(created.metadata, 'managedFields')
    expect(update(created, object(created.spec ?? {}, metadata), 'x', later).metadata.managedFields).toEqual(
      created.metadata.managedFields,
    )
    const cleared = update(created, object(created.spec ?? {}, { ...metadata, managedFields: [{}] }), 'x', later)
    expect(cleared.metadata.managedFields).toEqual([])
  })

  test('a controller’s field conflicts with an apply that wants it otherwise', () => {
    const applied = apply(undefined, object({ replicas: 1 }))
    const scaled = update(applied, object({ replicas: 9 }, applied.metadata), 'hpa')
    expect(fieldsOf(scaled, 'me')).toEqual([])
    expect(() => apply(scaled, object({ replicas: 1 }))).toThrow('conflict with "hpa" using apps/v1 at')
    expect(apply(scaled, object({})).spec).toEqual({ replicas: 9 })
  })
})

test('an object from before anybody applied belongs to before-first-apply', () => {
  const old = object({ replicas: 1 }, { creationTimestamp: time })
  expect(() => apply(old, object({ replicas: 2 }))).toThrow('conflict with "before-first-apply" using apps/v1 at')
  expect(fieldsOf(apply(old, object({ replicas: 1 })), 'before-first-apply', 'Update')).toEqual(['.spec.replicas'])
})

test.each([
  [
    'managedFields in what is applied',
    object({}, { managedFields: [{ manager: 'x' }] }),
    'metadata.managedFields must be nil',
  ],
  ['an item without its key', object(pods({ image: 'x' })), 'omits key field "name"'],
])('refuses %s', (_, applied, message) => {
  expect(() => apply(undefined, applied)).toThrow(message)
})

test('status cannot be applied with the rest', () => {
  const applied = { ...object({ replicas: 1 }), status: { replicas: 7 } }
  expect(fieldsOf(apply(undefined, applied), 'me')).toEqual(['.spec.replicas'])
})

test.each([
  [
    ['a', 'x', 'b'],
    ['b', 'n', 'a'],
    ['x', 'b', 'n', 'a'],
  ],
  [['a', 'b'], ['c'], ['a', 'b', 'c']],
  [
    ['a', 'b'],
    ['a', 'n', 'b'],
    ['a', 'n', 'b'],
  ],
  [['x', 'a', 'y'], ['a'], ['x', 'a', 'y']],
  [[], ['a'], ['a']],
])('%j with %j applied is in order %j', (live, applied, order) => {
  expect(mergedOrder(live, applied)).toEqual(order)
})

describe('field sets', () => {
  const set = FieldSet.fromFieldsV1({ 'f:a': { '.': {}, 'f:b': {} }, 'v:"x"': {} })

  test('survive the trip through JSON', () => {
    expect(set.toFieldsV1()).toEqual({ 'f:a': { '.': {}, 'f:b': {} }, 'v:"x"': {} })
    expect(set.paths()).toEqual(['.a', '.a.b', '[="x"]'])
  })

  test.each([
    ['union', set.union(FieldSet.fromFieldsV1({ 'f:c': {} })), ['.a', '.a.b', '[="x"]', '.c']],
    ['intersection', set.intersection(FieldSet.fromFieldsV1({ 'f:a': { 'f:b': {}, 'f:c': {} } })), ['.a.b']],
    ['difference', set.difference(FieldSet.fromFieldsV1({ 'f:a': {} })), ['.a.b', '[="x"]']],
    ['without', set.without(FieldSet.fromFieldsV1({ 'f:a': {} })), ['[="x"]']],
  ])('%s', (_, result, paths) => {
    expect(result.paths()).toEqual(paths)
  })

  test('what is no field set is an empty one', () => {
    expect(FieldSet.fromFieldsV1('nonsense').isEmpty).toBe(true)
  })
})

describe('kubectl goes over from client-side to server-side apply', () => {
  const wanted = { replicas: 1, paused: true }
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(object(wanted)) }
  const clientSide = update(undefined, object(wanted, { annotations }), 'kubectl-client-side-apply')
  const next = object({ replicas: 2, paused: true })

  test('without a conflict with its own past', () => {
    const applied = apply(clientSide, next, { manager: 'kubectl', at: later })
    expect(fieldsOf(applied, 'kubectl')).toEqual(['.spec.paused', '.spec.replicas'])
    expect(fieldsOf(applied, 'kubectl-client-side-apply', 'Update')).not.toContain('.spec.replicas')
  })

  test('nobody else may, and what was changed since is a conflict still', () => {
    expect(() => apply(clientSide, next, { manager: 'somebody' })).toThrow('conflict')
    const scaled = update(clientSide, object({ ...wanted, replicas: 5 }, clientSide.metadata), 'kubectl-scale', later)
    expect(() => apply(scaled, next, { manager: 'kubectl' })).toThrow('conflict with "kubectl-scale"')
  })

  test.each(['rubbish', '[]', 'null', '{"spec":{"template":{"spec":{"containers":[{}]}}}}'])(
    'a last one of %s yields nothing',
    (text) => {
      const odd = { 'kubectl.kubernetes.io/last-applied-configuration': text }
      const live = update(undefined, object(wanted, { annotations: odd }), 'kubectl-client-side-apply')
      expect(() => apply(live, next, { manager: 'kubectl' })).toThrow('conflict')
    },
  )
})
