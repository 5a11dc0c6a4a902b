import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseRunMount } from '../dockerfile/run-mount.ts'
import { decodeSecrets, mountSecret, secretPlaces } from './secrets.ts'

let directory: string
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'secrets-'))))
afterEach(() => rmSync(directory, { recursive: true }))

function encode(value: unknown) {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
const secrets = decodeSecrets(encode({ token: Buffer.from('s3cret').toString('base64') }))

test.each([
  ['type=secret,id=token', { id: 'token', path: '/run/secrets/token' }],
  ['type=secret,target=/root/.npmrc', { id: '.npmrc', path: '/root/.npmrc' }],
  ['type=secret,id=token,env=TOKEN', { id: 'token', variable: 'TOKEN' }],
  ['type=secret,id=token,env=TOKEN,target=/t', { id: 'token', path: '/t', variable: 'TOKEN' }],
  ['type=secret,env=TOKEN', { id: 'TOKEN', variable: 'TOKEN' }],
])('%s', (text, expected) => {
  expect(secretPlaces(parseRunMount(text))).toEqual(expected)
})

test('a file that only its owner may read, and a variable', () => {
  const file = join(directory, 'secret')
  expect(mountSecret(parseRunMount('type=secret,id=token,env=TOKEN,target=/t'), secrets, file)).toEqual({
    mount: { type: 'bind', source: file, target: '/t', readOnly: true },
    variable: 'TOKEN=s3cret',
  })
  expect(readFileSync(file, 'utf8')).toBe('s3cret')
  expect(statSync(file).mode & 0o777).toBe(0o400)
})

test('one that was not given', () => {
  const file = join(directory, 'secret')
  expect(mountSecret(parseRunMount('type=secret,id=other'), secrets, file)).toEqual({})
  expect(() => mountSecret(parseRunMount('type=secret,id=other,required'), secrets, file)).toThrow(
    'secret other: not found',
  )
})

test('a header that is none', () => {
  expect(decodeSecrets(undefined).size).toBe(0)
  expect(() => decodeSecrets('e30x')).toThrow('invalid X-Build-Secrets header')
})
