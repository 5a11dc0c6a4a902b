import { expect, test } from 'vitest'
import { goNetworkError } from './network-error.ts'

test.each([
  ['ECONNREFUSED', '', 'dial tcp 10.0.0.1:80: connect: connection refused'],
  ['EHOSTUNREACH', '', 'dial tcp 10.0.0.1:80: connect: no route to host'],
  ['ECONNRESET', 'socket hang up', 'EOF'],
  ['ECONNRESET', 'read ECONNRESET', 'read tcp 10.0.0.1:80: read: connection reset by peer'],
  ['ENOTFOUND', '', 'dial tcp: lookup 10.0.0.1: no such host'],
  ['EWHATEVER', 'something else', 'something else'],
])('%s is told in the words of Go', (code, message, expected) => {
  expect(goNetworkError(Object.assign(new Error(message), { code }), '10.0.0.1:80')).toBe(expected)
})
