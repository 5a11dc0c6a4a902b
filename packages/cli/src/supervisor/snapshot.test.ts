import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { beforeEach, expect, test } from 'vitest'
import { snapshotFlags } from './snapshot.ts'

let directory: string
let entry: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dinghy-snapshot-'))
  entry = join(directory, 'main.js')
  return () => rmSync(directory, { recursive: true })
})

function made(facts: object = {}): void {
  const own = { node: process.version, v8: cachedDataVersionTag(), directory, flags: ['--snapshot-blob', 'x'] }
  writeFileSync(join(directory, 'snapshot.json'), JSON.stringify({ ...own, ...facts }))
}

test('a component wakes from the snapshot beside its bundle', () => {
  expect(snapshotFlags(entry, {})).toEqual([])
  made()
  expect(snapshotFlags(entry, {})).toEqual(['--snapshot-blob', 'x'])
})

test.each([
  ['another Node', { node: 'v1.0.0' }, {}],
  ['other flags of V8', { v8: 1 }, {}],
  ['another directory', { directory: '/elsewhere' }, {}],
  ['options that it does not know', {}, { NODE_OPTIONS: '--enable-source-maps' }],
])('not from one that was made for %s', (_what, facts, env) => {
  made(facts)
  expect(snapshotFlags(entry, env)).toEqual([])
})

test('a damaged description of it is no secret', () => {
  writeFileSync(join(directory, 'snapshot.json'), '{')
  expect(() => snapshotFlags(entry, {})).toThrow(SyntaxError)
})
