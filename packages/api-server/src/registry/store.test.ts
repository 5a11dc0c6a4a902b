import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasReason, StatusError } from '@dinghy/shared/api/errors'
import type { KubernetesObject, Pod } from '@dinghy/shared/api/types'
import { parseSelection } from './selection.ts'
import { pod, storeFixture } from '../testing/store-fixture.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(() => (fixture = storeFixture()))
afterEach(() => fixture.storage.close())

function configMap(name: string, data: Record<string, string> = {}, more: object = {}) {
  return {
    metadata: { name, ...more },
    data,
  }
}
function ref(name: string) {
  return { namespace: 'default', name }
}

async function failure(promise: Promise<unknown>): Promise<StatusError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (error instanceof StatusError) return error
  throw new Error(`expected a StatusError, got ${String(error)}`)
}

describe('create', () => {
  test('fills in what the server owns, whatever the client sent', async () => {
    const sent = configMap(
      'a',
      {},
      { uid: 'mine', creationTimestamp: '1999-01-01T00:00:00Z', deletionTimestamp: '1999-01-01T00:00:00Z' },
    )
    const { metadata, apiVersion, kind } = await fixture.create('configmaps', sent)
    expect({ apiVersion, kind }).toEqual({ apiVersion: 'v1', kind: 'ConfigMap' })
    expect(metadata).toEqual({
      name: 'a',
      namespace: 'default',
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      creationTimestamp: '2025-01-01T00:00:00Z',
      resourceVersion: '1',
      managedFields: [expect.objectContaining({ manager: 'test', operation: 'Update' })],
    })
  })

  test('refuses a name that is taken', async () => {
    await fixture.create('configmaps', configMap('a'))
    const error = await failure(fixture.create('configmaps', configMap('a')))
    expect(error.message).toBe('configmaps "a" already exists')
    expect(error.code).toBe(409)
  })

  test('of the same name at the same moment: one wins', async () => {
    const both = await Promise.allSettled([
      fixture.create('configmaps', configMap('a')),
      fixture.create('configmaps', configMap('a')),
    ])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })

  test('takes a list whose items cannot be told apart, and says of nobody that he owns them', async () => {
    const { metadata } = await fixture.create('serviceaccounts', { metadata: { name: 'a' }, secrets: [{}] })
    expect(metadata).not.toHaveProperty('managedFields')
  })

  test('makes a name out of generateName', async () => {
    const { metadata } = await fixture.create('configmaps', { metadata: { generateName: 'job-' } })
    expect(metadata.name).toMatch(/^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  })

  test('refuses an object without any name', async () => {
    const error = await failure(fixture.create('configmaps', { metadata: {} }))
    expect(error.message).toContain('metadata.name: Required value: name or generateName is required')
  })

  test('refuses a resourceVersion', async () => {
    const error = await failure(fixture.create('configmaps', configMap('a', {}, { resourceVersion: '7' })))
    expect(error.message).toBe('resourceVersion should not be set on objects to be created')
  })

  test('refuses another namespace than that of the URL', async () => {
    const error = await failure(fixture.create('configmaps', configMap('a', {}, { namespace: 'other' })))
    expect(error.message).toBe('the namespace of the provided object does not match the namespace sent on the request')
  })

  test('drops a status where the status has a door of its own', async () => {
    const created = await fixture.create('persistentvolumeclaims', {
      metadata: { name: 'a' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      status: { phase: 'Bound' },
    })
    expect((created as { status?: { phase?: string } }).status?.phase).not.toBe('Bound')
  })

  test('on a dry run stores nothing', async () => {
    const { store, definition, dryRun, storage } = fixture
    const sent = configMap('a') as unknown as KubernetesObject
    const entry = await store.create(definition('configmaps'), 'default', sent, dryRun)
    expect(entry.object.metadata.name).toBe('a')
    expect(storage.revision).toBe(0)
  })
})

describe('update', () => {
  const set =
    (value: string, more: object = {}) =>
    (current: KubernetesObject) =>
      ({ ...current, metadata: { ...current.metadata, ...more }, data: { key: value } }) as KubernetesObject

  test('keeps what the server owns', async () => {
    const created = await fixture.create('configmaps', configMap('a'))
    const { store, definition, context } = fixture
    const { entry } = await store.update(
      definition('configmaps'),
      ref('a'),
      set('x', { creationTimestamp: '1999-01-01T00:00:00Z' }),
      context,
    )
    expect(entry.object).toMatchObject({ data: { key: 'x' }, metadata: { ...created.metadata, resourceVersion: '2' } })
  })

  test('without a resourceVersion is made again when somebody else was faster', async () => {
    await fixture.create('configmaps', configMap('a', { count: '0' }))
    const { store, definition, context } = fixture
    const increment = (current: KubernetesObject) => {
      const { data } = current as unknown as { data: { count: string } }
      const { resourceVersion: _, ...metadata } = current.metadata
      return { ...current, metadata, data: { count: String(Number(data.count) + 1) } } as unknown as KubernetesObject
    }
    await Promise.all([1, 2, 3, 4].map(() => store.update(definition('configmaps'), ref('a'), increment, context)))
    expect(store.get(definition('configmaps'), ref('a')).object).toMatchObject({ data: { count: '4' } })
  })

  test('with an old resourceVersion is a conflict', async () => {
    await fixture.create('configmaps', configMap('a'))
    const { store, definition, context } = fixture
    await store.update(definition('configmaps'), ref('a'), set('x'), context)
    const error = await failure(
      store.update(definition('configmaps'), ref('a'), set('y', { resourceVersion: '1' }), context),
    )
    expect(error.message).toBe(
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    )
  })

  test('with another uid is a conflict', async () => {
    await fixture.create('configmaps', configMap('a'))
    const { store, definition, context } = fixture
    const error = await failure(store.update(definition('configmaps'), ref('a'), set('y', { uid: 'other' }), context))
    expect(error.message).toMatch(/Precondition failed: UID in precondition: other, UID in object meta: /)
  })

  test('that changes nothing writes nothing', async () => {
    await fixture.create('configmaps', configMap('a', { key: 'x' }))
    const { store, definition, context, storage } = fixture
    const { entry } = await store.update(definition('configmaps'), ref('a'), set('x'), context)
    expect(entry.revision).toBe(1)
    expect(storage.revision).toBe(1)
  })

  test('of what is not there is NotFound, unless it may be created', async () => {
    const { store, definition, context } = fixture
    const make = () => configMap('a') as unknown as KubernetesObject
    const error = await failure(store.update(definition('configmaps'), ref('a'), make, context))
    expect(error.message).toBe('configmaps "a" not found')
    const { created } = await store.update(definition('configmaps'), ref('a'), make, context, { createIfMissing: make })
    expect(created).toBe(true)
  })

  test('of the object leaves the status alone, and of the status the object', async () => {
    await fixture.create('pods', pod('a'))
    const { store, definition, context } = fixture
    const pods = definition('pods')
    const change = (image: string) => (current: KubernetesObject) =>
      ({ ...current, spec: { containers: [{ name: 'c', image }] }, status: { message: 'hello' } }) as unknown as Pod
    const { entry: main } = await store.update(pods, ref('a'), change('other'), context)
    expect(main.object).toMatchObject({ spec: { containers: [{ image: 'other' }] } })
    expect(main.object).not.toHaveProperty('status.message')
    const { entry: status } = await store.update(pods, ref('a'), change('third'), context, { subresource: 'status' })
    expect(status.object).toMatchObject({ spec: { containers: [{ image: 'other' }] }, status: { message: 'hello' } })
  })
})

describe('delete', () => {
  test('removes at once what nothing holds', async () => {
    await fixture.create('configmaps', configMap('a'))
    const { store, definition, context, storage } = fixture
    const { removed } = await store.delete(definition('configmaps'), ref('a'), {}, context)
    expect(removed).toBe(true)
    expect(() => store.get(definition('configmaps'), ref('a'))).toThrow('configmaps "a" not found')
    expect(storage.revision).toBe(2)
  })

  test('waits for finalizers, and the last one takes the object with it', async () => {
    await fixture.create('configmaps', configMap('a', {}, { finalizers: ['example.com/x'] }))
    const { store, definition, context } = fixture
    const { entry, removed } = await store.delete(definition('configmaps'), ref('a'), {}, context)
    expect(removed).toBe(false)
    expect(entry.object.metadata.deletionTimestamp).toBe('2025-01-01T00:00:00Z')
    const release = (current: KubernetesObject) => {
      delete current.metadata.finalizers
      return current
    }
    await store.update(definition('configmaps'), ref('a'), release, context)
    expect(() => store.get(definition('configmaps'), ref('a'))).toThrow('not found')
  })

  test('checks preconditions', async () => {
    await fixture.create('configmaps', configMap('a'))
    const { store, definition, context } = fixture
    const error = await failure(
      store.delete(definition('configmaps'), ref('a'), { preconditions: { uid: 'x' } }, context),
    )
    expect(hasReason(error, 'Conflict')).toBe(true)
  })

  test('on a dry run removes nothing', async () => {
    await fixture.create('configmaps', configMap('a'))
    const { store, definition, dryRun } = fixture
    await store.delete(definition('configmaps'), ref('a'), {}, dryRun)
    expect(store.get(definition('configmaps'), ref('a')).revision).toBe(1)
  })

  test('of a collection takes what the selection shows', async () => {
    for (const name of ['a', 'b', 'c'])
      await fixture.create('configmaps', configMap(name, {}, { labels: { keep: String(name === 'b') } }))
    const { store, definition, context } = fixture
    const selection = parseSelection(definition('configmaps'), { labelSelector: 'keep=false' })
    const gone = await store.deleteCollection(
      definition('configmaps'),
      { namespace: 'default', selection },
      {},
      context,
    )
    expect(gone.map((entry) => entry.object.metadata.name)).toEqual(['a', 'c'])
    const left = await store.list(definition('configmaps'), { selection: parseSelection(definition('configmaps'), {}) })
    expect(left.entries.map((entry) => entry.object.metadata.name)).toEqual(['b'])
  })
})

describe('list', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b', 'c', 'd'])
      await fixture.create('configmaps', configMap(name, {}, { labels: { odd: String(name < 'c') } }))
  })
  const page = async (query: object, selectors: object = {}) => {
    const { store, definition } = fixture
    const selection = parseSelection(definition('configmaps'), selectors)
    const { entries, ...rest } = await store.list(definition('configmaps'), {
      namespace: 'default',
      selection,
      ...query,
    })
    return { names: entries.map((entry) => entry.object.metadata.name).join(''), ...rest }
  }

  test('shows one revision on all its pages', async () => {
    const first = await page({ limit: 2 })
    expect(first).toMatchObject({ names: 'ab', revision: 4, remainingItemCount: 2 })
    await fixture.create('configmaps', configMap('bb'))
    const { store, definition, context } = fixture
    await store.delete(definition('configmaps'), ref('d'), {}, context)
    const second = await page({ limit: 2, continue: first.continue })
    expect(second).toEqual({ names: 'cd', revision: 4 })
    expect(await page({})).toEqual({ names: 'abbbc', revision: 6 })
  })

  test('selects before it limits', async () => {
    const first = await page({ limit: 1 }, { labelSelector: 'odd=false' })
    expect(first.names).toBe('c')
    expect(first.remainingItemCount).toBeUndefined()
    expect((await page({ limit: 1, continue: first.continue }, { labelSelector: 'odd=false' })).names).toBe('d')
  })

  test('by name is a get', async () => {
    expect((await page({}, { fieldSelector: 'metadata.name=b' })).names).toBe('b')
    expect((await page({}, { fieldSelector: 'metadata.name!=b' })).names).toBe('acd')
    expect((await page({}, { fieldSelector: 'metadata.name=zz' })).names).toBe('')
  })

  test.each([
    [{ resourceVersion: '2', resourceVersionMatch: 'Exact' }, 'ab'],
    [{ resourceVersion: '2', resourceVersionMatch: 'NotOlderThan' }, 'abcd'],
    [{ resourceVersion: '2' }, 'abcd'],
    [{ resourceVersion: '0' }, 'abcd'],
    [{ resourceVersion: '2', limit: 500 }, 'ab'],
    [{ resourceVersion: '0', limit: 500 }, 'abcd'],
  ])('%o shows %s', async (query, names) => expect((await page(query)).names).toBe(names))

  test.each([
    [{ resourceVersion: '9' }, 'Too large resource version: 9, current: 4'],
    [{ resourceVersion: 'x' }, 'invalid syntax'],
    [{ resourceVersionMatch: 'Exact' }, 'resourceVersionMatch is forbidden unless resourceVersion is provided'],
    [
      { resourceVersion: '0', resourceVersionMatch: 'Exact' },
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    [{ continue: 'nonsense' }, 'continue key is not valid: nonsense'],
  ])('%o is refused', (query, message) => expect(page(query)).rejects.toThrow(message))

  test('of a compacted past is Expired', async () => {
    fixture.storage.compact(3)
    await expect(page({ resourceVersion: '2', resourceVersionMatch: 'Exact' })).rejects.toThrow(
      'The resourceVersion for the provided list is too old.',
    )
  })

  test('goes on in the present when the past of its pages is gone, if the client likes', async () => {
    const { continue: token } = await page({ limit: 1 })
    await fixture.create('configmaps', configMap('e'))
    fixture.storage.compact(fixture.storage.revision)
    let expired: unknown
    try {
      await page({ limit: 1, continue: token })
    } catch (error) {
      expired = error
    }
    expect(expired).toMatchObject({ status: { code: 410, reason: 'Expired' } })
    const { metadata } = (expired as StatusError).status
    expect(await page({ limit: 9, continue: metadata.continue })).toMatchObject({ names: 'bcde', revision: 5 })
  })

  test('refuses a field that cannot be selected by', async () => {
    await expect(page({}, { fieldSelector: 'data.key=x' })).rejects.toThrow('field label not supported: data.key')
  })
})
