import { expect, test } from 'vitest'
import { requireLocal } from './loopback.ts'

test.each([
  { host: '127.0.0.1:6443' },
  { host: 'localhost:6443' },
  { host: '[::1]:6443' },
  { host: 'kubernetes.default.svc:443' },
  { host: '127.64.0.1' },
  { host: '10.96.0.1:443' },
  { host: '172.30.0.1:6443' },
  { host: 'api.localhost:1' },
  { host: '127.0.0.1:6443', origin: 'http://localhost:3000' },
  {},
])('%o may', (headers) => expect(() => requireLocal(headers)).not.toThrow())

test.each([
  { host: 'evil.example:6443' },
  { host: '127.0.0.1.evil.example' },
  { host: '10.96.0.1.evil.example:443' },
  { host: '10.96.0.1:443', origin: 'http://10.0.0.7' },
  { host: '127.0.0.1:6443', origin: 'https://evil.example' },
  { host: '127.0.0.1:6443', origin: 'null' },
  { host: '127.0.0.1:6443', origin: 'http://localhost.evil.example' },
])('%o may not', (headers) => expect(() => requireLocal(headers)).toThrow(/only programs of this machine/))
