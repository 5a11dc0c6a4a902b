/** Paths of requests: what is compared, what is handed on, what is refused. */

import { expect, test } from 'vitest'
import { readRequestPath } from './request-path.ts'

test.each([
  ['/', '/', '/'],
  ['/a/b?x=/../', '/a/b', '/a/b?x=/../'],
  ['/a//b', '/a//b', '/a//b'],
  ['//evil.example/x', '//evil.example/x', '//evil.example/x'],
  ['/.well-known/x', '/.well-known/x', '/.well-known/x'],
  ['/%61dmin', '/admin', '/%61dmin'],
  ['/a%2fb', '/a%2Fb', '/a%2fb'],
  ['/caf%c3%a9', '/caf%C3%A9', '/caf%c3%a9'],
  ['/a/../b?q', '/b', '/b?q'],
  ['/a/%2e%2E/b', '/b', '/b'],
  ['/a/./b/.', '/a/b/', '/a/b/'],
  ['/a/..', '/', '/'],
  ['/a/...', '/a/...', '/a/...'],
])('%s is compared as %s and asked for as %s', (target, path, asked) => {
  expect(readRequestPath(target)).toMatchObject({ path, target: asked })
})

test.each([
  '',
  'a',
  '*',
  '/..',
  '/a/../../b',
  '/a/..%2fb',
  '/a/%2e%2e%2Fb',
  '/a%2f..%2fb',
  '/a/..\\b',
  '/a\\..\\b',
  '/a/..%5cb',
  '/a/..;/b',
  '/a%00b',
  '/a%0',
  '/a%zz',
  '/a\u00e9',
  '/a b',
  '/a#b',
])('%j is refused', (target) => {
  expect(readRequestPath(target)).toBeUndefined()
})
