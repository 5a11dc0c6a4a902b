import { describe, expect, test } from 'vitest'
import { interpolate, InterpolationError, interpolateTree } from './interpolate.ts'

const env = { NAME: 'web', EMPTY: '', PORT: '80' }

function run(text: string): { result: string; warnings: string[] } {
  const warnings: string[] = []
  return { result: interpolate(text, { env, warn: (message) => warnings.push(message) }), warnings }
}

test.each([
  ['plain', 'plain'],
  ['$NAME-$PORT', 'web-80'],
  ['${NAME}s', 'webs'],
  ['$$NAME', '$NAME'],
  ['$${NAME}', '${NAME}'],
  ['${MISSING-x}', 'x'],
  ['${EMPTY-x}', ''],
  ['${EMPTY:-x}', 'x'],
  ['${NAME:-x}', 'web'],
  ['${MISSING:-${NAME}-${OTHER:-y}}', 'web-y'],
  ['${NAME:+set}', 'set'],
  ['${EMPTY:+set}', ''],
  ['${EMPTY+set}', 'set'],
  ['${MISSING+set}', ''],
  ['${NAME:?needed}', 'web'],
  ['${MISSING:-a b:c}', 'a b:c'],
])('%s', (text, result) => {
  expect(run(text)).toEqual({ result, warnings: [] })
})

test('an unset variable is blank and warned of', () => {
  expect(run('a${MISSING}b')).toEqual({
    result: 'ab',
    warnings: ['The "MISSING" variable is not set. Defaulting to a blank string.'],
  })
})

describe('errors', () => {
  test.each([
    ['${MISSING:?set me}', 'required variable MISSING is missing a value: set me'],
    ['${MISSING?}', 'required variable MISSING is missing a value'],
    ['${EMPTY:?no}', 'required variable EMPTY is missing a value: no'],
    ['${NAME', 'invalid interpolation format: "${NAME"; you may need to escape any $ with another $'],
    ['${1x}', 'invalid interpolation format: "${1x}"; you may need to escape any $ with another $'],
    ['cost: $', 'invalid interpolation format: "cost: $"; you may need to escape any $ with another $'],
  ])('%s', (text, message) => {
    expect(() => run(text)).toThrow(new InterpolationError(message))
  })

  test('name the place', () => {
    const tree = { services: { web: { image: '${TAG:?pick one}' } } }
    expect(() => interpolateTree(tree, { env, warn: () => undefined })).toThrow(
      'error while interpolating services.web.image: required variable TAG is missing a value: pick one',
    )
  })
})
