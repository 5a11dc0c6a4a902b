/**
 * How damage of what is stored is noticed: two numbers in every row.
 *
 * - `checksum`, of the row itself, looked at whenever a row is read. SQLite has no checksums of its own outside of its
 *   write-ahead log: it would serve a changed byte.
 * - `tally`, of all keys that are alive at that revision and the revisions that wrote them. Rows that are whole and yet
 *   too few, because an index or an old copy of the file hides some, do not add up to it. It is looked at when the
 *   server starts.
 */

import { crc32 } from 'node:zlib'
import type { RevisionRow } from './schema.ts'

export function checksumOf(row: Omit<RevisionRow, 'checksum' | 'tally'>): number {
  const { revision, key, create_revision, prev_revision, deleted, actor, cause, at, value } = row
  const rest = `${revision} ${key} ${create_revision} ${prev_revision} ${deleted} ${actor} ${cause} ${at}`
  return crc32(value, crc32(rest))
}

/** The tally after `now` has taken the place of `before`; either may be missing. */
export function tallyAfter(tally: number, key: string, before: number | undefined, now: number | undefined): number {
  return (tally - partOf(key, before) + partOf(key, now)) >>> 0
}

function partOf(key: string, revision: number | undefined): number {
  return revision === undefined ? 0 : crc32(`${revision} ${key}`)
}

/** A row that was changed by something else than this program. */
export class DamagedRow extends Error {
  constructor({ key, revision }: RevisionRow) {
    super(`revision ${revision} of ${key} is damaged`)
    this.name = 'DamagedRow'
  }
}

export function verified(row: RevisionRow): RevisionRow {
  if (!Buffer.isBuffer(row.value) || checksumOf(row) !== row.checksum) throw new DamagedRow(row)
  return row
}
