/**
 * `docker logs`: picks entries out of a log by stream, time and number from the end, then follows it.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { LogEntry, LogFile, StreamName } from './log-file.ts'
import { parseRfc3339 } from './timestamps.ts'

export interface LogQuery {
  streams: StreamName[]
  since: bigint | undefined
  until: bigint | undefined
  /** How many entries from the end; undefined for all. */
  tail: number | undefined
}

/** Whether an entry is asked for. Pure. */
export function matches(entry: LogEntry, { streams, since, until }: Omit<LogQuery, 'tail'>): boolean {
  if (!streams.includes(entry.stream)) return false
  if (since === undefined && until === undefined) return true
  const time = parseRfc3339(entry.time)
  return (since === undefined || time >= since) && (until === undefined || time <= until)
}

/** The entries on disk, oldest first, as of now. */
export function readEntries(file: LogFile, query: LogQuery): LogEntry[] {
  const { tail } = query
  if (tail === 0) return []
  const found: LogEntry[] = []
  for (const path of file.files().reverse()) {
    for (const line of linesBackwards(path)) {
      const entry = parseEntry(line)
      if (entry === undefined || !matches(entry, query)) continue
      found.push(entry)
      if (found.length === tail) return found.reverse()
    }
  }
  return found.reverse()
}

/** Half lines of a killed writer are no entries. */
function parseEntry(line: string): LogEntry | undefined {
  if (!line.startsWith('{') || !line.endsWith('}')) return undefined
  try {
    return JSON.parse(line) as LogEntry
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const CHUNK_BYTES = 64 * 1024

/** The lines of a file from the last to the first; what is appended meanwhile is not seen. */
function* linesBackwards(path: string): Generator<string> {
  const fd = openSync(path, 'r')
  try {
    let position = fstatSync(fd).size
    let rest = Buffer.alloc(0)
    while (position > 0) {
      const length = Math.min(CHUNK_BYTES, position)
      position -= length
      const chunk = Buffer.alloc(length)
      readSync(fd, chunk, 0, length, position)
      let bytes = Buffer.concat([chunk, rest])
      for (let newline = bytes.lastIndexOf(0x0a); newline >= 0; newline = bytes.lastIndexOf(0x0a)) {
        if (newline + 1 < bytes.length) yield bytes.subarray(newline + 1).toString('utf8')
        bytes = bytes.subarray(0, newline)
      }
      rest = bytes
    }
    if (rest.length > 0) yield rest.toString('utf8')
  } finally {
    closeSync(fd)
  }
}
