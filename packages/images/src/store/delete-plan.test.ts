import { describe, expect, test } from 'vitest'
import type { DeleteAction, DeleteOptions, ImageUser } from './delete-plan.ts'
import { planDelete, planPrune } from './delete-plan.ts'
import type { Image } from './image-store.ts'

function id(letter: string) {
  return `sha256:${letter.repeat(64)}`
}

function image(letter: string, fields: Partial<Image> = {}): Image {
  return {
    id: id(letter),
    config: { architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [] } },
    layers: [],
    hostBase: false,
    parent: undefined,
    repoTags: [],
    repoDigests: [],
    created: '2024-01-01T00:00:00Z',
    lastTagged: 0,
    size: 0,
    ...fields,
  }
}

function running(letter: string): ImageUser {
  return { id: 'c'.repeat(64), imageId: id(letter), isRunning: true }
}
function stopped(letter: string): ImageUser {
  return { ...running(letter), isRunning: false }
}
function shown(actions: DeleteAction[]) {
  return actions.map((action) =>
    'untag' in action ? `untag ${action.untag}` : `delete ${action.delete.id.slice(7, 8)}`,
  )
}

function plan(named: string, images: Image[], users: ImageUser[] = [], options: Partial<DeleteOptions> = {}) {
  const [target] = images
  if (!target) throw new Error('no image')
  return shown(planDelete(named, target, images, users, { force: false, pruneParents: true, ...options }))
}

describe('rmi', () => {
  const digest = `app@${id('9')}`

  test('the last name deletes, with its digests and untagged parents', () => {
    const images = [
      image('a', { repoTags: ['app:1'], repoDigests: [digest], parent: id('b') }),
      image('b', { parent: id('d') }),
      image('d', { repoTags: ['base:latest'] }),
    ]
    expect(plan('app:1', images)).toEqual(['untag app:1', `untag ${digest}`, 'delete a', 'delete b'])
    expect(plan('app:1', images, [], { pruneParents: false })).toEqual(['untag app:1', `untag ${digest}`, 'delete a'])
    expect(plan('aaaa', images)).toEqual(['untag app:1', `untag ${digest}`, 'delete a', 'delete b'])
  })

  test('one of several names only untags', () => {
    const images = [image('a', { repoTags: ['app:1', 'other:latest'], repoDigests: [digest] })]
    expect(plan('app:1', images)).toEqual(['untag app:1', `untag ${digest}`])
    expect(plan('other', images)).toEqual(['untag other:latest'])
  })

  test('a parent with another child stays', () => {
    const images = [image('a', { parent: id('b') }), image('b'), image('d', { parent: id('b') })]
    expect(plan('aaaa', images)).toEqual(['delete a'])
  })

  test.each<[string, string, Image[], ImageUser[], Partial<DeleteOptions>, string]>([
    [
      'a name in use',
      'app',
      [image('a', { repoTags: ['app:latest'] })],
      [stopped('a')],
      {},
      'conflict: unable to remove repository reference "app" (must force) - container cccccccccccc is using its referenced image aaaaaaaaaaaa',
    ],
    [
      'an id with two names',
      'aaaa',
      [image('a', { repoTags: ['x:1', 'y:1'] })],
      [],
      {},
      'conflict: unable to delete aaaaaaaaaaaa (must be forced) - image is referenced in multiple repositories',
    ],
    [
      'a running container',
      'aaaa',
      [image('a')],
      [running('a')],
      { force: true },
      'conflict: unable to delete aaaaaaaaaaaa (cannot be forced) - image is being used by running container cccccccccccc',
    ],
    [
      'a stopped container',
      'aaaa',
      [image('a', { repoTags: ['x:1'] })],
      [stopped('a')],
      {},
      'conflict: unable to delete aaaaaaaaaaaa (must be forced) - image is being used by stopped container cccccccccccc',
    ],
    [
      'a child',
      'aaaa',
      [image('a'), image('b', { parent: id('a') })],
      [],
      { force: true },
      'conflict: unable to delete aaaaaaaaaaaa (cannot be forced) - image has dependent child images',
    ],
  ])('%s is a conflict', (_case, named, images, users, options, message) => {
    expect(() => plan(named, images, users, options)).toThrow(
      expect.objectContaining({ status: 409, message }) as Error,
    )
  })

  test('force gets past names and stopped containers, and leaves what runs', () => {
    expect(plan('aaaa', [image('a', { repoTags: ['x:1', 'y:1'] })], [stopped('a')], { force: true })).toEqual([
      'untag x:1',
      'untag y:1',
      'delete a',
    ])
    expect(plan('x:1', [image('a', { repoTags: ['x:1'] })], [running('a')], { force: true })).toEqual(['untag x:1'])
  })
})

describe('prune', () => {
  const images = [
    image('a', { repoTags: ['app:1'], parent: id('b') }),
    image('b'),
    image('d', { parent: id('e') }),
    image('e'),
    image('f', { repoTags: ['used:1'] }),
  ]
  const options = { all: false, matches: () => true }

  test('dangling images go with their parents', () => {
    expect(shown(planPrune(images, [running('f')], options))).toEqual(['delete d', 'delete e'])
  })

  test('all: whatever no container stands on', () => {
    expect(shown(planPrune(images, [stopped('f')], { ...options, all: true }))).toEqual([
      'untag app:1',
      'delete a',
      'delete b',
      'delete d',
      'delete e',
    ])
  })

  test('filters are asked', () => {
    expect(planPrune(images, [], { all: true, matches: () => false })).toEqual([])
  })
})
