import { expect, test } from 'vitest'
import { isTrue, matchSegments, Router, splitVersion } from './router.ts'

test.each([
  ['/containers/{id}/start', '/containers/web/start', { id: 'web' }],
  ['/containers/{id}/start', '/containers//start', undefined],
  ['/containers/{id}/start', '/containers/web', undefined],
  ['/images/{name...}/json', '/images/a/b/c:1/json', { name: 'a/b/c:1' }],
  ['/images/{name...}/json', '/images/json', undefined],
  ['/images/{name...}', '/images/localhost:5000/x', { name: 'localhost:5000/x' }],
  ['/images/{name...}/json', '/images/a%2Fb/json', { name: 'a/b' }],
  ['/images/{name...}/json', '/images/json/json', { name: 'json' }],
  ['/containers/{id}/json', '/containers/50%/json', { id: '50%' }],
])('%s matches %s as %o', (pattern, path, params) => {
  expect(matchSegments(pattern.split('/').slice(1), path.split('/').slice(1))).toEqual(params)
})

test('the more literal of two routes wins, whatever was added first', () => {
  const router = new Router()
  const [any, list, create] = [() => {}, () => {}, () => {}]
  router.add('GET', '/images/{name...}', any)
  router.add('GET', '/images/json', list)
  router.add('POST', '/images/{name...}/push', create)
  expect(router.match('GET', '/images/json')?.handler).toBe(list)
  expect(router.match('GET', '/images/json/x')?.handler).toBe(any)
  expect(router.match('POST', '/images/a/b/push')?.params).toEqual({ name: 'a/b' })
  expect(router.match('DELETE', '/images/json')).toBeUndefined()
  expect([router.hasPath('/images/json'), router.hasPath('/nothing')]).toEqual([true, false])
})

test('the version prefix is optional', () => {
  expect(splitVersion('/v1.41/_ping')).toEqual({ version: [1, 41], path: '/_ping' })
  expect(splitVersion('/_ping')).toEqual({ version: undefined, path: '/_ping' })
  expect(splitVersion('/v1/_ping')).toEqual({ version: undefined, path: '/v1/_ping' })
})

test.each([
  [null, false],
  ['', false],
  ['0', false],
  ['false', false],
  ['False', false],
  ['none', false],
  ['1', true],
  ['true', true],
  ['yes', true],
  ['2', true],
])('the query value %j is %s', (value, expected) => {
  expect(isTrue(value)).toBe(expected)
})
