/**
 * Storage in one SQLite file. What callers may rely on:
 *
 * - A resolved write is on disk (log-sync.ts); after kill -9 the file opens with every acknowledged write.
 * - Group commit: all writes that are queued while the disk is busy with others share one transaction and one fsync,
 *   which the event loop does not wait for. The SQLite library is synchronous: the transaction is one turn, nothing can
 *   come between its statements, and there are no locks.
 * - A conflict fails only the write it concerns, and takes no revision number: the numbers have no gaps.
 * - The present is served from memory (latest.ts), loaded at start; the past comes from the table.
 * - Watchers are fed here, after the commit, in revision order. They never query for new events.
 * - Damage is told: at the start if it concerns what is alive (database-file.ts), else to whoever reads the past.
 *
 * Unlike etcd this is one process on one machine. The database is locked, so a second server on it fails at start
 * instead of corrupting the first one's idea of the present.
 */

import type { Statement } from 'better-sqlite3'
import type { Clock } from '@dinghy/shared/api/clock'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { checksumOf, tallyAfter, verified } from './checksum.ts'
import { type Commit, eventType, findConflict, type QueuedWrite } from './commit.ts'
import { type DatabaseFile, type DatabaseOptions, openDatabase } from './database-file.ts'
import type { Encryption } from './encryption.ts'
import { type Cut, forget, giveRoomBack, type HistoryRow, historyRows } from './history-table.ts'
import { Latest } from './latest.ts'
import type { ChangeEvent } from './recent-events.ts'
import { RecentEvents } from './recent-events.ts'
import { type RevisionRow, sql } from './schema.ts'
import type { ListOptions, ListResult, Mutation, Revision, Storage, StorageWatch } from './storage.ts'
import { Entry, prefixEnd, RevisionCompacted, RevisionInFuture } from './storage.ts'
import { Watcher } from './watcher.ts'

/** Enough for a client that reconnects; each event keeps two states of its object in memory. */
const recentEvents = 1024
const pageSize = 500

export interface SqliteOptions extends DatabaseOptions {
  clock: Clock
  /** A watcher that leaves more events than this unread is cut off. */
  maxUnreadEvents?: number
}

export class SqliteStorage implements Storage {
  readonly #file: Omit<DatabaseFile, 'rows' | 'revision' | 'tally'>
  readonly #encryption: Encryption | undefined
  readonly #clock: Clock
  readonly #maxUnreadEvents: number
  readonly #statements: Record<keyof typeof sql, Statement>
  readonly #latest = new Latest()
  readonly #recent: RecentEvents
  readonly #watchers = new Set<Watcher>()
  readonly #compactions = new Map<string, number>()
  #revision: number
  #tally: number
  #trouble: unknown
  /** Nobody knows what is on the disk. */
  #isLost = false
  /** Written, and not on the disk yet: nobody has seen it. */
  #underway: Commit | undefined
  #bytesWritten = 0
  #queue: QueuedWrite[] = []

  constructor({ clock, maxUnreadEvents = 10_000, ...options }: SqliteOptions) {
    const { rows, revision, tally, ...file } = openDatabase(options)
    this.#file = file
    this.#encryption = options.encryption
    this.#clock = clock
    this.#maxUnreadEvents = maxUnreadEvents
    this.#statements = prepare(this.#file)
    this.#revision = revision
    this.#tally = tally
    this.#recent = new RecentEvents(recentEvents, this.#revision)
    this.#latest.load(rows.map((row) => this.#checkedEntryOf(row)))
    for (const row of this.#statements.compactions.iterate()) {
      const { prefix, revision } = row as { prefix: string; revision: number }
      this.#compactions.set(prefix, revision)
    }
  }

  get revision(): number {
    return this.#revision
  }

  get(key: string, revision?: number): Entry | undefined {
    if (revision === undefined || revision === this.#revision) return this.#latest.get(key)
    this.#requireReadable(key, revision)
    const row = this.#statements.keyAt.get(key, revision) as RevisionRow | undefined
    return row && !row.deleted ? this.#entryOf(row) : undefined
  }

  list(prefix: string, { revision, limit, after }: ListOptions = {}): ListResult {
    const wanted = limit || Infinity
    if (revision === undefined || revision === this.#revision) {
      const page = this.#latest.list(prefix, after, wanted)
      return listResult(this.#revision, page.entries, page.remaining)
    }
    this.#requireReadable(prefix, revision)
    const start = after !== undefined && after >= prefix ? after + '\u0000' : prefix
    const entries: Entry[] = []
    let remaining = 0
    for (const row of this.#statements.listAt.iterate(start, prefixEnd(prefix), revision)) {
      if (entries.length < wanted) entries.push(this.#entryOf(row as RevisionRow))
      else remaining++
    }
    return listResult(revision, entries, remaining)
  }

  count(prefix: string): number {
    return this.#latest.count(prefix)
  }

  write(batch: Mutation[]): Promise<Entry[]> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, resolve, reject })
      if (this.#queue.length === 1 && !this.#underway) setImmediate(this.#run)
    })
  }

  watch(prefix: string, from: number, signal: AbortSignal): StorageWatch {
    if (from > this.#revision) throw new RevisionInFuture(from, this.#revision)
    this.#requireReadable(prefix, from)
    const watcher = new Watcher({
      prefix,
      past: this.#past(prefix, from, this.#revision),
      revision: this.#revision,
      limit: this.#maxUnreadEvents,
      signal,
      onEnd: (ended) => this.#watchers.delete(ended),
    })
    if (!signal.aborted) this.#watchers.add(watcher)
    return watcher
  }

  history(key: string): Revision[] {
    const rows = this.#statements.history.all(key) as RevisionRow[]
    return rows.filter(({ revision }) => revision <= this.#revision).map((row) => this.#revisionOf(row))
  }

  newestOf(key: string, revision = this.#revision): number {
    return (this.#statements.newestOfKey.get(key, revision) as { revision: number } | undefined)?.revision ?? 0
  }

  revisionAt(revision: number): Revision | undefined {
    if (revision > this.#revision) return undefined
    const row = this.#statements.revision.get(revision) as RevisionRow | undefined
    return row && this.#revisionOf(row)
  }

  compact(revision: number, prefix = ''): void {
    for (const _ of this.forget({ revision, prefix, keepsPeoples: false })) continue
  }

  /** The same in steps, for those who can wait in between. */
  *forget(cut: Cut): Generator<void> {
    const { revision, prefix } = cut
    if (revision > this.#revision) throw new RevisionInFuture(revision, this.#revision)
    if (revision < (this.#compactions.get(prefix) ?? 0)) return
    this.#compactions.set(prefix, revision)
    yield* forget(this.#file.database, cut)
  }

  /** What is not the present, newest first. */
  historyRows(): Generator<HistoryRow> {
    return historyRows(
      this.#file.database,
      (key, revision) => revision > this.#revision || this.#latest.get(key)?.revision === revision,
    )
  }

  giveRoomBack(): Generator<void> {
    return giveRoomBack(this.#file.database)
  }

  /** Since the start. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /** Throws what the last write failed with, as long as none has succeeded since. */
  check(): void {
    if (this.#trouble !== undefined) throw this.#trouble
  }

  close(): void {
    const { log } = this.#file
    for (let commit = this.#underway ?? this.#commit(); commit; commit = this.#commit()) {
      log?.syncNow()
      this.#publish(commit)
    }
    this.#file.close()
  }

  /** Writes all that is queued, waits for the disk, tells of it; what is queued meanwhile comes next. */
  #run = (): void => {
    const commit = this.#underway ? undefined : this.#commit()
    if (!commit) return
    const { log } = this.#file
    if (!log) return this.#publish(commit)
    this.#underway = commit
    void log.sync().then(
      () => this.#publish(commit),
      (error: unknown) => this.#giveUp(commit, error),
    )
  }

  /** One transaction for everything that is queued. Undefined if nothing has been written. */
  #commit(): Commit | undefined {
    const queue = this.#queue
    this.#queue = []
    const commit: Commit = { outcomes: [], conflicts: [], events: [], pending: new Map(), tally: this.#tally }
    const { pending, outcomes, conflicts, events } = commit
    const current = (key: string) => (pending.has(key) ? pending.get(key) : this.#latest.get(key))
    try {
      if (this.#isLost) throw this.#trouble
      this.#file.database.transaction(() => {
        let revision = this.#revision
        for (const write of queue) {
          const conflict = findConflict(write.batch, current)
          if (conflict) {
            conflicts.push({ write, conflict })
            continue
          }
          const entries = write.batch.map((mutation) => {
            const previous = current(mutation.key)
            revision++
            const now = mutation.deleted ? undefined : revision
            commit.tally = tallyAfter(commit.tally, mutation.key, previous?.revision, now)
            const entry = this.#insert(revision, mutation, previous, commit.tally)
            pending.set(mutation.key, mutation.deleted ? undefined : entry)
            events.push({ type: eventType(mutation, previous), revision, entry, previous })
            return entry
          })
          outcomes.push({ write, entries })
        }
      })()
    } catch (error) {
      // Disk full, I/O error: nothing was written, and nobody may believe otherwise.
      this.#trouble = error
      for (const { reject } of queue) reject(error)
      return undefined
    }
    if (events.length > 0) return commit
    for (const { write, conflict } of conflicts) write.reject(conflict)
    return undefined
  }

  /** It is on the disk: it becomes the present. */
  #publish(commit: Commit): void {
    // The server was closed meanwhile, and has told of it.
    if (commit.isOver) return
    const { outcomes, conflicts, events, pending, tally } = commit
    commit.isOver = true
    this.#underway = undefined
    this.#trouble = undefined
    this.#file.record(this.#revision + events.length)
    for (const [key, entry] of pending) {
      if (entry) this.#latest.set(entry)
      else this.#latest.delete(key)
    }
    this.#revision += events.length
    this.#tally = tally
    for (const event of events) this.#recent.push(event)
    for (const watcher of this.#watchers) watcher.push(events, this.#revision)
    for (const { write, entries } of outcomes) write.resolve(entries)
    // Those who lost come first, then those who have become late meanwhile: so who tries again wins in its turn.
    for (const { write, conflict } of [...conflicts, ...this.#takeLate()]) write.reject(conflict)
    if (this.#queue.length > 0) setImmediate(this.#run)
  }

  /** What was queued while the disk was busy, and was made of a state that is no longer the present. */
  #takeLate(): Commit['conflicts'] {
    const late: Commit['conflicts'] = []
    this.#queue = this.#queue.filter((write) => {
      const conflict = findConflict(write.batch, (key) => this.#latest.get(key))
      if (conflict) late.push({ write, conflict })
      return conflict === undefined
    })
    return late
  }

  /**
   * The disk has failed after the commit, so it may be there after the next start, or not. What is written on top of
   * it would be as uncertain: nothing more is.
   */
  #giveUp(commit: Commit, error: unknown): void {
    if (commit.isOver) return
    this.#underway = undefined
    this.#isLost = true
    this.#trouble = error
    for (const { write } of [...commit.outcomes, ...commit.conflicts]) write.reject(error)
    this.#run()
  }

  #insert(revision: number, mutation: Mutation, previous: Entry | undefined, tally: number): Entry {
    const { key, object, deleted = false, actor, cause = null } = mutation
    object.metadata.resourceVersion = String(revision)
    const value = Buffer.from(JSON.stringify(object))
    const row = {
      revision,
      key,
      create_revision: previous?.createRevision ?? revision,
      // A key that was deleted still has its tombstone in the table: that is the predecessor of the new creation.
      prev_revision: previous?.revision ?? this.newestOf(key, revision),
      deleted: Number(deleted),
      actor,
      cause,
      at: this.#clock.now(),
      value: this.#encryption?.encode(key, value) ?? value,
      checksum: 0,
      tally,
    }
    row.checksum = checksumOf(row)
    this.#bytesWritten += value.length
    this.#statements.insert.run(row)
    return new Entry(key, revision, row.create_revision, value)
  }

  /** The events after `from` up to `to`: from memory if it reaches back that far, else page by page from the table. */
  *#past(prefix: string, from: number, to: number): Generator<ChangeEvent> {
    let seen = from
    while (seen < to) {
      if (this.#recent.reachesBackTo(seen)) {
        yield* this.#recent.between(seen, to, prefix)
        return
      }
      // The reader may have paused for so long that the next page has been compacted meanwhile.
      this.#requireReadable(prefix, seen)
      const rows = this.#statements.after.all(seen, to, prefix, prefixEnd(prefix), pageSize) as RevisionRow[]
      for (const row of rows) yield this.#eventOf(row)
      const last = rows.at(-1)
      if (!last || rows.length < pageSize) return
      seen = last.revision
    }
  }

  #eventOf(row: RevisionRow): ChangeEvent {
    const before = this.#statements.revision.get(row.prev_revision) as RevisionRow | undefined
    const previous = before && !before.deleted ? this.#entryOf(before) : undefined
    const type = row.deleted ? 'DELETED' : row.create_revision === row.revision ? 'ADDED' : 'MODIFIED'
    return { type, revision: row.revision, entry: this.#entryOf(row), previous }
  }

  #entryOf(row: RevisionRow): Entry {
    return this.#checkedEntryOf(verified(row))
  }

  #checkedEntryOf(row: RevisionRow): Entry {
    return new Entry(row.key, row.revision, row.create_revision, this.#valueOf(row))
  }

  #valueOf({ key, value }: RevisionRow): Buffer {
    return this.#encryption?.decode(key, value) ?? value
  }

  #revisionOf(row: RevisionRow): Revision {
    verified(row)
    return {
      revision: row.revision,
      key: row.key,
      previous: row.prev_revision,
      verb: row.deleted ? 'delete' : row.create_revision === row.revision ? 'create' : 'update',
      actor: row.actor,
      cause: row.cause ?? undefined,
      at: row.at,
      object: JSON.parse(this.#valueOf(row).toString()) as KubernetesObject,
    }
  }

  #requireReadable(prefix: string, revision: number): void {
    if (revision > this.#revision) throw new RevisionInFuture(revision, this.#revision)
    for (const [compacted, oldest] of this.#compactions) {
      const overlaps = prefix.startsWith(compacted) || compacted.startsWith(prefix)
      if (overlaps && revision < oldest) throw new RevisionCompacted(revision, oldest)
    }
  }
}

function prepare({ database }: Pick<DatabaseFile, 'database'>): Record<keyof typeof sql, Statement> {
  const names = Object.keys(sql) as (keyof typeof sql)[]
  return Object.fromEntries(names.map((name) => [name, database.prepare(sql[name])])) as Record<
    keyof typeof sql,
    Statement
  >
}

function listResult(revision: number, entries: Entry[], remaining: number): ListResult {
  const last = entries.at(-1)
  return remaining > 0 && last
    ? { revision, entries, remaining, continue: last.key }
    : { revision, entries, remaining: 0 }
}
