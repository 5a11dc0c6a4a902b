import { expect, test } from 'vitest'
import { isLocalRequest } from './local-request.ts'

test.each([
  [{ host: '127.64.1.1:10250' }, true],
  [{ host: 'localhost:80' }, true],
  [{ host: '[::1]:80' }, true],
  [{}, true],
  [{ host: '192.168.0.7:10250' }, true],
  [{ host: 'rebound.example:10250' }, false],
  [{ host: '127.0.0.1.example' }, false],
  [{ host: '127.0.0.1:1', origin: 'http://127.0.0.1:8080' }, true],
  [{ host: '127.0.0.1:1', origin: 'http://localhost' }, true],
  [{ host: '127.0.0.1:1', origin: 'https://evil.example' }, false],
  [{ host: '127.0.0.1:1', origin: 'http://203.0.113.5' }, false],
  [{ host: '127.0.0.1:1', origin: 'null' }, false],
])('%j', (headers, isLocal) => {
  expect(isLocalRequest(headers)).toBe(isLocal)
})
