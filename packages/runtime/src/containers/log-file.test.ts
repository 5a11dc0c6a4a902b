import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { LogFile, type LogEntry } from './log-file.ts'
import { matches, readEntries, type LogQuery } from './log-reader.ts'
import { parseRfc3339 } from './timestamps.ts'

let directory: string
let clock: FakeClock
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'log-'))
  clock = new FakeClock('2025-01-01T00:00:00Z')
})
afterEach(() => rmSync(directory, { recursive: true }))

const all: LogQuery = { streams: ['stdout', 'stderr'], since: undefined, until: undefined, tail: undefined }
const texts = (entries: LogEntry[]) => entries.map(({ stream, log }) => `${stream === 'stdout' ? 'o' : 'e'}:${log}`)

test('lines are cut from chunks that end anywhere, each stream on its own', () => {
  const log = new LogFile(join(directory, 'log'), clock)
  log.write('stdout', Buffer.from('one\ntw'))
  log.write('stderr', Buffer.from('oops'))
  log.write('stdout', Buffer.from('o\n'))
  expect(texts(readEntries(log, all))).toEqual(['o:one\n', 'o:two\n'])
  log.flush()
  expect(texts(readEntries(log, all))).toEqual(['o:one\n', 'o:two\n', 'e:oops'])
})

test('no two entries have the same time, and times are in order', () => {
  const log = new LogFile(join(directory, 'log'), clock)
  log.write('stdout', Buffer.from('a\nb\nc\n'))
  const times = readEntries(log, all).map(({ time }) => time)
  expect(times).toEqual([
    '2025-01-01T00:00:00.000000000Z',
    '2025-01-01T00:00:00.000000001Z',
    '2025-01-01T00:00:00.000000002Z',
  ])
})

test('a very long line becomes several entries', () => {
  const log = new LogFile(join(directory, 'log'), clock)
  log.write('stdout', Buffer.from(`${'x'.repeat(40_000)}\n`))
  const entries = readEntries(log, all)
  expect(entries.map((entry) => entry.log.length)).toEqual([16_384, 16_384, 7233])
  expect(entries.map((entry) => entry.log.endsWith('\n'))).toEqual([false, false, true])
})

test('tail counts the wanted entries from the end, over chunk borders of the file', () => {
  const log = new LogFile(join(directory, 'log'), clock)
  for (let line = 0; line < 3000; line++) log.write(line % 2 ? 'stderr' : 'stdout', Buffer.from(`line ${line}\n`))
  expect(readEntries(log, all)).toHaveLength(3000)
  expect(texts(readEntries(log, { ...all, tail: 2 }))).toEqual(['o:line 2998\n', 'e:line 2999\n'])
  expect(texts(readEntries(log, { ...all, tail: 2, streams: ['stdout'] }))).toEqual(['o:line 2996\n', 'o:line 2998\n'])
  expect(readEntries(log, { ...all, tail: 0 })).toEqual([])
})

test('half a line of a killed runtime is left out, and the next entry is whole', () => {
  const path = join(directory, 'log')
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from('a\n'))
  log.close()
  appendFileSync(path, '{"log":"half')
  const next = new LogFile(path, clock)
  next.write('stdout', Buffer.from('b\n'))
  expect(texts(readEntries(next, all))).toEqual(['o:a\n', 'o:b\n'])
})

test('rotation keeps as many files as asked for, and readers see them as one', () => {
  const path = join(directory, 'log')
  const log = new LogFile(path, clock, { maxSizeBytes: 300, maxFiles: 3 })
  for (let line = 0; line < 20; line++) log.write('stdout', Buffer.from(`line ${line}\n`))
  expect(log.files()).toEqual([`${path}.2`, `${path}.1`, path])
  expect(readFileSync(path).length).toBeLessThanOrEqual(300)
  const shown = texts(readEntries(log, all))
  expect(shown.at(-1)).toBe('o:line 19\n')
  expect(shown.length).toBeLessThan(20)
  expect(texts(readEntries(log, { ...all, tail: 4 }))).toEqual([16, 17, 18, 19].map((line) => `o:line ${line}\n`))
  log.remove()
  expect(log.files()).toEqual([])
})

test('followers see what comes after them, and the end', () => {
  const log = new LogFile(join(directory, 'log'), clock)
  log.write('stdout', Buffer.from('before\n'))
  const seen: string[] = []
  const controller = new AbortController()
  log.follow(
    (entry) => seen.push(entry.log),
    () => seen.push('END'),
    controller.signal,
  )
  log.write('stdout', Buffer.from('after\npartial'))
  log.endRun()
  controller.abort()
  log.write('stdout', Buffer.from('unseen\n'))
  expect(seen).toEqual(['after\n', 'partial', 'END'])
})

test.each([
  [{ since: '2025-01-01T00:00:05Z' }, false],
  [{ since: '2025-01-01T00:00:01Z' }, true],
  [{ until: '2025-01-01T00:00:01Z' }, false],
  [{ since: '2025-01-01T00:00:02Z', until: '2025-01-01T00:00:02Z' }, true],
])('an entry of second 2 and %o: %s', (range: { since?: string; until?: string }, expected) => {
  const entry: LogEntry = { log: 'x', stream: 'stdout', time: '2025-01-01T00:00:02.000000000Z' }
  const moment = (text: string | undefined) => (text === undefined ? undefined : parseRfc3339(text))
  expect(matches(entry, { streams: ['stdout'], since: moment(range.since), until: moment(range.until) })).toBe(expected)
})
