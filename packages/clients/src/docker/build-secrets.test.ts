import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSecret, secretHeaders } from './build-secrets.ts'

test('from a file, or from a variable', () => {
  const directory = mkdtempSync(join(tmpdir(), 'secret-'))
  const file = join(directory, 'token')
  writeFileSync(file, 'from a file')
  expect(readSecret(`id=a,src=${file}`)).toEqual(['a', Buffer.from('from a file')])
  expect(readSecret('id=a,env=TOKEN', { TOKEN: 'x' })).toEqual(['a', Buffer.from('x')])
  expect(readSecret('type=env,id=TOKEN', { TOKEN: 'x' })).toEqual(['TOKEN', Buffer.from('x')])
  rmSync(directory, { recursive: true })
})

test.each(['src=x', '', 'id=a,env=NONE'])('refuses %j', (word) => {
  expect(() => readSecret(word, {})).toThrow(/^--secret/)
})

test('what goes over the wire', () => {
  expect(secretHeaders([])).toEqual({})
  const header = secretHeaders([['a', Buffer.from('x')]])['x-build-secrets'] ?? ''
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ a: 'eA==' })
  expect(() => secretHeaders([['a', Buffer.alloc(20_000)]])).toThrow('bytes in all')
})
