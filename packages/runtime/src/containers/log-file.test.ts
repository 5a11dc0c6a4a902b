import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import { LogFile } from './log-file.ts'
import { LogReader, type LogQuery } from './log-reader.ts'
import { parseRfc3339 } from '../timestamps.ts'

let directory: string
let path: string
let clock: FakeClock
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'log-'))
  path = join(directory, 'log')
  clock = new FakeClock('2025-01-01T00:00:00Z')
})
afterEach(() => rmSync(directory, { recursive: true }))

const all: LogQuery = { streams: ['stdout', 'stderr'], since: undefined, until: undefined, tail: undefined }

function drain(reader: LogReader): Buffer {
  const blocks: Buffer[] = []
  for (let block = reader.next(); block !== undefined; block = reader.next()) blocks.push(block)
  return Buffer.concat(blocks)
}

/** The text of what was asked for, without frames. */
function read(log: LogFile, query: Partial<LogQuery> = {}, timestamps = false): string {
  const reader = new LogReader(log, { ...all, ...query }, { raw: true, timestamps })
  const text = drain(reader).toString()
  reader.close()
  return text
}

/** As "o:text" and "e:text", a frame each. */
function frames(bytes: Buffer): string[] {
  return new StdcopyParser()
    .push(bytes)
    .map(({ stream, data }) => `${stream === 'stdout' ? 'o' : 'e'}:${data.toString()}`)
}

function numbered(from: number, to: number) {
  return Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('')
}

test('lines are cut from chunks that end anywhere, each stream on its own', () => {
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from('one\ntw'))
  log.write('stderr', Buffer.from('oops'))
  log.write('stdout', Buffer.from('o\nthree\n'))
  const framed = () => frames(drain(new LogReader(log, all, { raw: false, timestamps: false })))
  expect(framed()).toEqual(['o:one\n', 'o:two\n', 'o:three\n'])
  log.flush()
  expect(framed()).toEqual(['o:one\n', 'o:two\n', 'o:three\n', 'e:oops'])
})

test.each([
  ['plain'],
  ['with "quotes" and \\backslashes\\'],
  ['\u001b[31mred\u001b[0m\ttab\r'],
  ['every control character \u0000\u0001\b\f\u000b\u001f\u007f'],
  ['Grüße, 船, ⛵'],
  ['ends in a backslash \\'],
  ['","stream":"stderr","time":"1999-01-01T00:00:00.000000000Z"}'],
  [''],
])('the line %j is JSON in the file and comes back as it was', (text) => {
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from(`${text}\n`))
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    log: `${text}\n`,
    stream: 'stdout',
    time: '2025-01-01T00:00:00.000000000Z',
  })
  expect(read(log)).toBe(`${text}\n`)
})

test('bytes that are not UTF-8 show as U+FFFD', () => {
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from([0x61, 0xff, 0x62, 0x0a]))
  expect(read(log)).toBe('a\ufffdb\n')
})

test('no two entries have the same time, and times are in order, over the end of a second too', () => {
  clock = new FakeClock('2025-01-01T00:00:00.999Z')
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from('a\nb\n'))
  log.write('stdout', Buffer.from('c\n'))
  expect(read(log, {}, true)).toBe(
    '2025-01-01T00:00:00.999000000Z a\n2025-01-01T00:00:00.999000001Z b\n2025-01-01T00:00:00.999000002Z c\n',
  )
  const many = 1_000_001 // of the million nanoseconds that were left, three are taken
  log.write('stdout', Buffer.alloc(many, '\n'))
  expect(read(log, { tail: 5 }, true)).toBe(
    [
      '2025-01-01T00:00:00.999999999Z \n',
      ...[0, 1, 2, 3].map((nanos) => `2025-01-01T00:00:01.00000000${nanos}Z \n`),
    ].join(''),
  )
})

test('a very long line becomes several entries, none of which ends inside a character', () => {
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from(`${'x'.repeat(40_000)}\n`))
  log.write('stderr', Buffer.from(`y${'é'.repeat(10_000)}\n`))
  const stored = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { log: string }).log)
  expect(stored.map((text) => Buffer.byteLength(text))).toEqual([16_384, 16_384, 7233, 16_383, 3619])
  expect(stored.map((text) => text.endsWith('\n'))).toEqual([false, false, true, false, true])
  expect(read(log)).toBe(`${'x'.repeat(40_000)}\ny${'é'.repeat(10_000)}\n`)
})

test('tail counts the wanted entries from the end, over chunk borders of the file', () => {
  const log = new LogFile(path, clock)
  for (let line = 0; line < 3000; line++) log.write(line % 2 ? 'stderr' : 'stdout', Buffer.from(`line ${line}\n`))
  expect(read(log)).toBe(numbered(0, 2999))
  expect(read(log, { tail: 2 })).toBe('line 2998\nline 2999\n')
  expect(read(log, { tail: 2500 })).toBe(numbered(500, 2999))
  expect(read(log, { tail: 5000 })).toBe(numbered(0, 2999))
  expect(read(log, { tail: 2, streams: ['stdout'] })).toBe('line 2996\nline 2998\n')
  expect(read(log, { tail: 0 })).toBe('')
})

test('half a line of a killed runtime is left out, and the next entry is whole', () => {
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from('a\n'))
  log.close()
  appendFileSync(path, '{"log":"half')
  const next = new LogFile(path, clock)
  next.write('stdout', Buffer.from('b\n'))
  expect(read(next)).toBe('a\nb\n')
  expect(read(next, { tail: 2 })).toBe('a\nb\n')
})

test('rotation keeps as many files as asked for, and readers see them as one', () => {
  const log = new LogFile(path, clock, { maxSizeBytes: 300, maxFiles: 3 })
  for (let line = 0; line < 20; line++) log.write('stdout', Buffer.from(`line ${line}\n`))
  expect(log.numbers().map((number) => log.pathOf(number))).toEqual([`${path}.2`, `${path}.1`, path])
  expect(readFileSync(path).length).toBeLessThanOrEqual(300)
  expect(read(log)).toBe(numbered(12, 19))
  expect(read(log, { tail: 4 })).toBe(numbered(16, 19))
  expect(read(new LogFile(path, clock, { maxSizeBytes: 300, maxFiles: 3 }))).toBe(numbered(12, 19))
  log.remove()
  expect(log.numbers()).toEqual([])
})

test('rotation parts output that came at once', () => {
  const log = new LogFile(path, clock, { maxSizeBytes: 300, maxFiles: 3 })
  log.write('stdout', Buffer.from(numbered(0, 19)))
  for (const number of log.numbers()) expect(readFileSync(log.pathOf(number)).length).toBeLessThanOrEqual(300)
  expect(read(log)).toBe(numbered(12, 19))
})

test('a reader that rotation overtakes finishes its file and goes on with the oldest that is left', () => {
  const log = new LogFile(path, clock, { maxSizeBytes: 300, maxFiles: 2 })
  log.write('stdout', Buffer.from('line 0\n'))
  const reader = new LogReader(log, all, { raw: true, timestamps: false })
  expect(reader.next()?.toString()).toBe('line 0\n')
  for (let line = 1; line < 6; line++) log.write('stdout', Buffer.from(`line ${line}\n`))
  expect(drain(reader).toString()).toBe(numbered(1, 5))
  for (let line = 6; line < 18; line++) log.write('stdout', Buffer.from(`line ${line}\n`))
  const rest = drain(reader).toString()
  expect(rest.endsWith(numbered(14, 17))).toBe(true)
  reader.close()
})

describe('followers', () => {
  function follow(log: LogFile, query: Partial<LogQuery> = {}) {
    const reader = new LogReader(log, { ...all, ...query }, { raw: true, timestamps: false })
    const seen: string[] = []
    const controller = new AbortController()
    const onAppend = (appended: Parameters<LogReader['take']>[0]) => {
      const taken = reader.take(appended)
      seen.push(taken === undefined ? `read:${drain(reader)}` : `taken:${taken}`)
    }
    log.follow(onAppend, () => seen.push('END'), controller.signal)
    return { seen, reader, stop: () => controller.abort() }
  }

  test('see what comes after them, and the end', () => {
    const log = new LogFile(path, clock)
    log.write('stdout', Buffer.from('before\n'))
    const { seen, stop } = follow(log, { tail: 0 })
    log.write('stdout', Buffer.from('after\npartial'))
    log.endRun()
    stop()
    log.write('stdout', Buffer.from('unseen\n'))
    expect(seen).toEqual(['taken:after\n', 'taken:partial', 'END'])
  })

  test('that are behind read what they have missed, and nothing twice', () => {
    const log = new LogFile(path, clock)
    log.write('stdout', Buffer.from('before\n'))
    const { seen } = follow(log)
    log.write('stdout', Buffer.from('one\n'))
    log.write('stdout', Buffer.from('two\n'))
    expect(seen).toEqual(['read:before\none\n', 'taken:two\n'])
  })

  test('of one stream do not see the other, and do not fall behind by it', () => {
    const log = new LogFile(path, clock)
    const { seen } = follow(log, { streams: ['stderr'] })
    log.write('stdout', Buffer.from('out\n'))
    log.write('stderr', Buffer.from('err\n'))
    expect(seen.filter((text) => text !== 'read:')).toEqual(['taken:err\n'])
  })
})

test('a limit ends the reading where the log ended when it was taken', () => {
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from('one\n'))
  const limit = log.end
  const reader = new LogReader(log, all, { raw: true, timestamps: false })
  log.write('stdout', Buffer.from('two\n'))
  expect(reader.next(limit)?.toString()).toBe('one\n')
  expect(reader.next(limit)).toBeUndefined()
  expect(reader.next()?.toString()).toBe('two\n')
})

test.each([
  [{ since: '2025-01-01T00:00:05Z' }, false],
  [{ since: '2025-01-01T00:00:01Z' }, true],
  [{ until: '2025-01-01T00:00:01Z' }, false],
  [{ since: '2025-01-01T00:00:02Z', until: '2025-01-01T00:00:02Z' }, true],
  [{ since: '2025-01-01T00:00:02.000000001Z' }, false],
])('an entry of second 2 and %o: %s', (range: { since?: string; until?: string }, expected) => {
  clock = new FakeClock('2025-01-01T00:00:02Z')
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from('x\n'))
  const moment = (text: string | undefined) => (text === undefined ? undefined : parseRfc3339(text))
  expect(read(log, { since: moment(range.since), until: moment(range.until) })).toBe(expected ? 'x\n' : '')
})

test('what has no newline yet is told apart from what is in the file, and is nowhere twice', () => {
  const log = new LogFile(path, clock)
  log.write('stdout', Buffer.from('one\n/ # '))
  log.write('stderr', Buffer.from('warning\n'))
  expect(read(log)).toBe('one\nwarning\n')
  expect([...log.unfinished].filter(([, rest]) => rest.length > 0)).toEqual([['stdout', Buffer.from('/ # ')]])
  log.write('stdout', Buffer.from('exit\n'))
  expect(read(log)).toBe('one\nwarning\n/ # exit\n')
  expect([...log.unfinished].every(([, rest]) => rest.length === 0)).toBe(true)
  log.close()
})
