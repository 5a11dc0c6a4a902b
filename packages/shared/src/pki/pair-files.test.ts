import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readPair, writePair } from './pair-files.ts'

let directory: string

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'pki-'))))
afterEach(() => rmSync(directory, { recursive: true }))

test('a pair is read as it was written, and its key is for nobody else', () => {
  const place = join(directory, 'pki')
  expect(readPair(place, 'ca')).toBeUndefined()
  writePair(place, 'ca', { certificate: 'c', key: 'k' })
  writePair(place, 'ca', { certificate: 'c2', key: 'k2' })
  expect(readPair(place, 'ca')).toEqual({ certificate: 'c2', key: 'k2' })
  expect(readdirSync(place).sort()).toEqual(['ca.crt', 'ca.key'])
  expect(statSync(join(place, 'ca.key')).mode & 0o777).toBe(0o600)
  rmSync(join(place, 'ca.key'))
  expect(readPair(place, 'ca')).toBeUndefined()
})
