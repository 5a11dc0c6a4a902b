import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { packContext } from './context.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'context-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

async function packed(dockerfile = 'Dockerfile'): Promise<string[]> {
  const names: string[] = []
  const extract = tar.extract()
  extract.on('entry', ({ name }, stream, next) => {
    names.push(name)
    stream.on('end', next).resume()
  })
  await pipeline(Readable.from(packContext(root, dockerfile)), extract)
  return names
}

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
}

test('what is ignored stays at home, but for exceptions and what the build itself reads', async () => {
  write({
    '.dockerignore': '*\n!**/keep',
    Dockerfile: 'FROM x',
    'a/b/keep': '',
    'a/b/drop': '',
    'a/c/drop': '',
    'd/e': '',
  })
  expect(await packed()).toEqual(['.dockerignore', 'Dockerfile', 'a', 'a/b', 'a/b/keep'])
})

test('a Dockerfile may have an ignore file of its own', async () => {
  write({ '.dockerignore': '*', 'b/Dockerfile': '', 'b/Dockerfile.dockerignore': 'drop', drop: '', keep: '' })
  expect(await packed('b/Dockerfile')).toEqual([
    '.dockerignore',
    'b',
    'b/Dockerfile',
    'b/Dockerfile.dockerignore',
    'keep',
  ])
})
