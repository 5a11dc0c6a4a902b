import { expect, test } from 'vitest'
import { routeUrl, splitVersion } from './engine-path.ts'

test.each([
  ['GET', '/v1.41/containers/web/json?size=1', '/containers/web/json?size=1'],
  ['GET', '/_ping', '/_ping'],
  ['GET', '/images/a/b/c:1/json', '/images/a%2Fb%2Fc:1/json'],
  ['GET', '/v1.50/images/localhost:5000/x/history', '/images/localhost:5000%2Fx/history'],
  ['GET', '/images/a%2Fb/json', '/images/a%2Fb/json'],
  ['GET', '/images/json/json', '/images/json/json'],
  ['GET', '/images/json?all=1', '/images/json?all=1'],
  ['POST', '/images/a/b/push?tag=a/b', '/images/a%2Fb/push?tag=a/b'],
  ['DELETE', '/images/localhost:5000/x', '/images/localhost:5000%2Fx'],
  ['DELETE', '/images/a/json', '/images/a%2Fjson'],
  ['DELETE', '/images/a', '/images/a'],
  ['GET', '/distribution/a/b/json', '/distribution/a%2Fb/json'],
  ['GET', '/plugins/a/b/json', '/plugins/a%2Fb/json'],
  ['GET', '/containers/50%/json', '/containers/50%25/json'],
  ['GET', '/images/constructor/json', '/images/constructor/json'],
  ['GET', '/constructor/a/b', '/constructor/a/b'],
])('%s %s becomes %s', (method, url, expected) => {
  expect(routeUrl(method, url)).toBe(expected)
})

test('the version prefix is optional', () => {
  expect(splitVersion('/v1.41/_ping')).toEqual({ version: [1, 41], path: '/_ping' })
  expect(splitVersion('/_ping')).toEqual({ version: undefined, path: '/_ping' })
  expect(splitVersion('/v1/_ping')).toEqual({ version: undefined, path: '/v1/_ping' })
})
