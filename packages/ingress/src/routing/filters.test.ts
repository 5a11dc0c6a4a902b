/** Changes of headers and places: upstream's tables. */

import { expect, test } from 'vitest'
import { modifyHeaders } from './header-changes.ts'
import { redirectLocation, rewriteTarget } from './redirect.ts'
import { pathMatch } from './route-match.ts'

// The table of HTTPPathModifier.replacePrefixMatch.
test.each([
  ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
  ['/foo', '/foo', '/xyz', '/xyz'],
  ['/foo/', '/foo', '/xyz', '/xyz/'],
  ['/foo/bar', '/foo', '', '/bar'],
  ['/foo/', '/foo', '', '/'],
  ['/foo', '/foo', '', '/'],
  ['/foo/', '/foo', '/', '/'],
  ['/foo', '/foo', '/', '/'],
  ['/f%6fo/b%61r?x=1', '/foo', '/xyz', '/xyz/b%61r?x=1'],
  ['/a/b', '/', '/xyz', '/xyz/a/b'],
  ['/a/b/c', '/a/b', '/', '/c'],
])('%s with the prefix %s replaced by %j is %s', (target, prefix, value, expected) => {
  const modifier = { type: 'ReplacePrefixMatch' as const, value }
  expect(rewriteTarget(target, modifier, pathMatch('Prefix', prefix))).toBe(expected)
})

test('a whole path is replaced, the query stays', () => {
  expect(rewriteTarget('/a/b?x=1', { type: 'ReplaceFullPath', value: '/c' }, pathMatch('Prefix', '/'))).toBe('/c?x=1')
})

test.each([
  [{ scheme: 'https' }, 'https://a.example/p?q'],
  [{ scheme: 'https', port: 8443 }, 'https://a.example:8443/p?q'],
  [{}, 'http://a.example:8080/p?q'],
  [{ port: 80 }, 'http://a.example/p?q'],
  [{ hostname: 'b.example', path: { type: 'ReplaceFullPath', value: '/new' } }, 'http://b.example:8080/new?q'],
] as const)('redirected by %j to %s', (more, location) => {
  const request = { scheme: 'http' as const, host: 'a.example', port: 8080, target: '/p?q' }
  expect(redirectLocation({ type: 'RequestRedirect', code: 302, ...more }, request, pathMatch('Prefix', '/'))).toBe(
    location,
  )
})

test('headers are set, added and removed without regard to their case', () => {
  const headers = ['Accept', 'a', 'X-Old', '1', 'x-two', '2', 'X-Two', '3']
  const changes = {
    set: [{ name: 'X-two', value: 'new' }],
    add: [
      { name: 'accept', value: 'b' },
      { name: 'X-More', value: 'm' },
    ],
    remove: ['x-old'],
  }
  expect(modifyHeaders(headers, changes)).toEqual(['Accept', 'a,b', 'X-two', 'new', 'X-More', 'm'])
})
