import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { JsonDocument } from './json-document.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'document-'))
})
afterEach(() => rmSync(root, { recursive: true }))

test('changes wait for one another, and for one that fails', async () => {
  const document = new JsonDocument(join(root, 'file'), () => ({ count: 0 }))
  const add = document.update(async (value) => {
    await Promise.resolve()
    value.count += 1
  })
  const fail = document.update((value) => {
    value.count += 10
    throw new Error('no')
  })
  const last = document.update((value) => (value.count += 100))
  await expect(fail).rejects.toThrow('no')
  expect([await add, await last]).toEqual([undefined, 101])
  expect(await document.read()).toEqual({ count: 101 })
  expect(readdirSync(root)).toEqual(['file'])
})
