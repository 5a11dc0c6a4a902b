import { describe, expect, test } from 'vitest'
import {
  everything,
  labelSelectorFrom,
  labelSelectorFromMap,
  matchesFields,
  matchesLabels,
  nothing,
  parseFieldSelector,
  parseLabelSelector,
  selectorToString,
} from './selectors.ts'

const labels = { app: 'web', tier: 'front', 'example.com/size': '12', empty: '' }

describe('label selectors', () => {
  test.each([
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web , tier = front', true],
    ['app=db', false],
    ['app!=db', true],
    ['missing!=db', true],
    ['missing=db', false],
    ['app', true],
    ['missing', false],
    ['!app', false],
    ['!missing', true],
    ['app in (web,db)', true],
    ['app in (db)', false],
    ['app notin (db)', true],
    ['missing notin (db)', true],
    ['empty=', true],
    ['app=', false],
    ['empty in (,x)', true],
    ['example.com/size>5', true],
    ['example.com/size<5', false],
    ['app>5', false],
    ['app=web,tier!=front', false],
    ['in', false], // a key may be called "in"
  ])('%j → %s', (text, expected) => expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected))

  test.each([
    'app=web,',
    ',app=web',
    'app in',
    'app in (a',
    'app in a',
    '!',
    'a b',
    '=x',
    'a=b=c',
    'a/b/c=1',
    'x=-y',
    'x>y',
  ])('refuses %j', (text) => expect(() => parseLabelSelector(text)).toThrow('unable to parse requirement'))

  test.each([
    ['b=1,a=2', 'a=2,b=1'],
    ['x in (b,a),!y,z', 'x in (a,b),!y,z'],
    ['a==1,b!=2', 'a==1,b!=2'],
    ['n>3', 'n>3'],
  ])('%s prints as %s', (text, expected) => {
    expect(selectorToString(parseLabelSelector(text))).toBe(expected)
    expect(selectorToString(parseLabelSelector(expected))).toBe(expected)
  })

  test('the structured form', () => {
    const selector = labelSelectorFrom({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['front', 'back'] },
        { key: 'canary', operator: 'DoesNotExist' },
      ],
    })
    expect(selectorToString(selector)).toBe('app=web,!canary,tier in (back,front)')
    expect(matchesLabels(selector, labels)).toBe(true)
    expect(matchesLabels(selector, { ...labels, canary: 'yes' })).toBe(false)
    expect(() => labelSelectorFrom({ matchExpressions: [{ key: 'a', operator: 'Near' }] })).toThrow(
      'not a valid label selector operator',
    )
  })

  test('empty matches all, absent matches nothing', () => {
    expect(matchesLabels(labelSelectorFrom({}), labels)).toBe(true)
    expect(matchesLabels(labelSelectorFrom(undefined), labels)).toBe(false)
    expect(matchesLabels(everything, undefined)).toBe(true)
    expect(matchesLabels(nothing, undefined)).toBe(false)
    expect(matchesLabels(labelSelectorFromMap({ app: 'web' }), labels)).toBe(true)
  })

  test('does not find labels on the prototype', () => {
    expect(matchesLabels(parseLabelSelector('constructor'), {})).toBe(false)
  })
})

describe('field selectors', () => {
  const fields: Record<string, string> = { 'metadata.name': 'web', 'status.phase': 'Running', note: 'a,b=c\\d' }
  test.each([
    ['', true],
    ['metadata.name=web', true],
    ['metadata.name==web', true],
    ['metadata.name!=web', false],
    ['metadata.name=web,status.phase!=Failed', true],
    ['spec.nodeName=', true], // an unset field is the empty string
    ['spec.nodeName!=', false],
    ['note=a\\,b\\=c\\\\d', true],
  ])('%j → %s', (text, expected) =>
    expect(matchesFields(parseFieldSelector(text), (field) => fields[field])).toBe(expected),
  )

  test.each(['metadata.name', 'a=b=c', 'a=b\\x', '!a'])('refuses %j', (text) => {
    expect(() => parseFieldSelector(text)).toThrow('invalid selector')
  })
})
