import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { builtinDefinitions } from '../definitions.ts'
import { problemsOf } from '../../testing/kind-fixture.ts'
import { rulesOf } from './kinds.ts'

const stored = builtinDefinitions(loadSchema()).filter(({ createOnly }) => !createOnly)
const names = stored.map(({ plural, version }) => `${plural}.${version}`)

test('every kind that is stored has rules', () => {
  const without = stored.filter(({ group, plural }) => Object.keys(rulesOf(group, plural)).length === 0)
  expect(without.map(({ plural }) => plural)).toEqual([])
})

describe('rules say what is missing, and never fail over it', () => {
  test.each(names)('%s', (resource) => {
    expect(Array.isArray(problemsOf(resource, {}))).toBe(true)
    expect(Array.isArray(problemsOf(resource, emptiest(resource)))).toBe(true)
  })
})

/** An object whose lists each have one empty member, and whose objects are there and empty, to some depth. */
function emptiest(resource: string): object {
  const schema = loadSchema()
  const definition = stored.find(({ plural, version }) => `${plural}.${version}` === resource)
  const build = (type: string, depth: number): object => {
    const fields = [...(schema.type(type)?.fields.values() ?? [])].filter(({ name }) => name !== 'metadata')
    const entries = fields.flatMap(({ name, type: ref }) => {
      if (ref.kind === 'object') return depth === 0 ? [] : [[name, build(ref.type, depth - 1)]]
      if (ref.kind === 'list' && ref.of.kind === 'object' && depth > 0) return [[name, [build(ref.of.type, depth - 1)]]]
      return []
    })
    return Object.fromEntries(entries) as object
  }
  return definition ? build(definition.type, 6) : {}
}
