import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { lastWords } from './last-words.ts'

const directory = mkdtempSync(join(tmpdir(), 'last-words-'))
afterAll(() => rmSync(directory, { recursive: true }))

test.each([
  ['a fatal line', '{"level":30,"msg":"started"}\n{"level":60,"msg":"the port is taken"}\n', 'the port is taken'],
  ['an ordinary line: it was killed', '{"level":60,"msg":"old"}\n{"level":30,"msg":"started"}\n', undefined],
  [
    'a crash before there was a logger',
    '{"level":30}\nfile:1\n\nTypeError: no\n    at main.js:1:1\n\nNode.js v20\n',
    'TypeError: no',
  ],
  ['a crash, and a start that was killed after it', 'Error: no\n    at main.js:1:1\n{"level":30}\n', undefined],
  ['nothing', '', undefined],
  ['half a line', '{"level":60,"msg":"fu', undefined],
  ['two torn lines', '{"level":60,"m{"level":60,"msg":"full"}', undefined],
  ['a long log', `${'{"level":30,"msg":"busy"}\n'.repeat(5_000)}{"level":60,"msg":"full"}\n`, 'full'],
])('the last words after %s', (_what, log, said) => {
  const path = join(directory, 'log')
  writeFileSync(path, log)
  expect(lastWords(path)).toBe(said)
})
