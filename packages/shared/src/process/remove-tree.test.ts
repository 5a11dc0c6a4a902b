import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs'
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

test('directories may nest deeper than a path is long', async () => {
  const tree = mkdtempSync(join(tmpdir(), 'tree-'))
  const chain = Array.from({ length: 300 }, () => 'a-name').join('/')
  for (const name of ['lower', 'upper']) mkdirSync(join(tree, name, chain), { recursive: true })
  renameSync(join(tree, 'lower'), join(tree, 'upper', chain, 'lower'))
  await removeTree(tree)
  expect(existsSync(tree)).toBe(false)
})
