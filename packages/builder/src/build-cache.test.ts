import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseReference } from '@dinghy/shared/docker/reference'
import type { HistoryEntry, OciImageConfig } from '@dinghy/images/content/oci'
import { BuildCache, stepInHistory } from './build-cache.ts'
import { TestBuilder } from './testing/test-builder.ts'

function config(diffIds: string[], history: HistoryEntry[]): OciImageConfig {
  return { architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIds }, history }
}
const base = config(['b'], [{ created_by: 'base' }])
const source = config(
  ['b', 'r'],
  [{ created_by: 'base' }, { created_by: 'ENV A=1', empty_layer: true }, { created_by: 'RUN x', created: '2024' }],
)
const withEnv = config(['b'], [{ created_by: 'base' }, { created_by: 'ENV A=1', empty_layer: true }])

describe('a step in the history of a cache source', () => {
  test.each<[string, OciImageConfig | undefined, string, object | undefined]>([
    ['a step without a layer', base, 'ENV A=1', {}],
    ['a step with a layer', withEnv, 'RUN x', { diffId: 'r', created: '2024' }],
    ['another command', withEnv, 'RUN y', undefined],
    ['a step that came later', base, 'RUN x', undefined],
    ['another base', config(['z'], [{ created_by: 'base' }]), 'ENV A=1', undefined],
    ['another history', config(['b'], [{ created_by: 'other' }]), 'ENV A=1', undefined],
    ['the first step, from scratch', undefined, 'base', { diffId: 'b' }],
    ['nothing is left of it', source, 'CMD', undefined],
  ])('%s', (_case, parent, createdBy, expected) => {
    expect(stepInHistory(source, parent, createdBy)).toEqual(expected)
  })
})

describe('--cache-from', () => {
  let builder: TestBuilder
  beforeEach(async () => {
    builder = await TestBuilder.create()
  })
  afterEach(() => builder.remove())
  const file = 'FROM base\nCOPY a /a\nRUN write /b b\nENV C=1'

  test('an image of this machine stands for its steps, in any cache', async () => {
    const first = await builder.built(file, { a: '1' })
    await builder.images.tag(first.id, parseReference('prebuilt'))
    await new BuildCache(builder.root, builder.images, builder.clock).clear()
    await builder.clock.advance(60_000)
    builder.commands = []
    const { image, text } = await builder.build(file, { a: '1' }, { cacheFrom: ['prebuilt'] })
    expect(text.match(/Using cache/g)).toHaveLength(3)
    expect(builder.commands).toEqual([])
    expect(image?.id).toBe(first.id)
  })

  test.each([
    ['other files', { a: '2' }, { cacheFrom: ['prebuilt'] }],
    ['--no-cache', { a: '1' }, { cacheFrom: ['prebuilt'], noCache: true }],
    ['no cache source', { a: '1' }, {}],
  ])('%s: the step is done again', async (_case, files, options) => {
    const first = await builder.built(file, { a: '1' })
    await builder.images.tag(first.id, parseReference('prebuilt'))
    await new BuildCache(builder.root, builder.images, builder.clock).clear()
    builder.commands = []
    await builder.built(file, files, options)
    expect(builder.commands).toEqual(['write /b b'])
  })

  test('one that is not here is told of', async () => {
    const { text, image } = await builder.build(file, { a: '1' }, { cacheFrom: ['me/nowhere'] })
    expect(image).toBeDefined()
    expect(text).toContain('the cache source me/nowhere is not on this machine: pull it first')
  })
})

test('an entry whose image is gone is a miss, and a cleared cache says what it forgot', async () => {
  const builder = await TestBuilder.create()
  try {
    const cache = new BuildCache(builder.root, builder.images, builder.clock)
    const image = await builder.built('FROM base\nRUN x')
    await cache.remember({ parent: 'p', step: 's' }, image.id)
    expect((await cache.find({ parent: 'p', step: 's' }))?.id).toBe(image.id)
    await builder.images.remove(image.id)
    expect(await cache.find({ parent: 'p', step: 's' })).toBeUndefined()
    expect(await cache.clear()).toHaveLength(2)
    expect(await cache.clear()).toEqual([])
  } finally {
    builder.remove()
  }
})
