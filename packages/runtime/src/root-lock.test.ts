import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockRoot } from './root-lock.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lock-'))
})
afterEach(() => rmSync(root, { recursive: true }))

test('one at a time', () => {
  const unlock = lockRoot(root)
  expect(() => lockRoot(root)).toThrow(`belongs to another runtime, process ${process.pid}`)
  expect(readdirSync(root)).toEqual(['runtime.pid'])
  unlock()
  lockRoot(root)()
  expect(existsSync(join(root, 'runtime.pid'))).toBe(false)
})

test.each([
  ['a process that is no more', '4194304 77'],
  ['another process of the same number', `${process.pid} 1`],
  ['nobody', ''],
])('the lock of %s does not count', (_whose, content) => {
  writeFileSync(join(root, 'runtime.pid'), content)
  expect(() => lockRoot(root)).not.toThrow()
})
