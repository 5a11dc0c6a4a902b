import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { removeTree } from './remove-tree.ts'

test('a tree is removed, what its owner may not look into included', async () => {
  const tree = mkdtempSync(join(tmpdir(), 'tree-'))
  mkdirSync(join(tree, 'work/work'), { recursive: true })
  writeFileSync(join(tree, 'work/file'), '')
  // As overlayfs makes its own directory.
  chmodSync(join(tree, 'work/work'), 0)
  await removeTree(tree)
  expect(existsSync(tree)).toBe(false)
})

test('what is not there is fine', async () => {
  await removeTree(join(tmpdir(), 'no-such-tree'))
})
