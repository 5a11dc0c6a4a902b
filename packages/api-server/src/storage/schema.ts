/**
 * The whole "etcd" on disk: one append-only table of revisions, and how far it has been compacted.
 *
 * UNIQUE(key, prev_revision) is the compare-and-swap: a revision of a key has at most one successor, whatever bug the
 * code above may have. Its index holds (key, prev_revision, revision), so it also finds the newest revision of every
 * key without touching the values, which is how the server starts fast in spite of a long history.
 */

import type { Database } from 'better-sqlite3'

export const schemaVersion = 2

const create = `
  CREATE TABLE revisions (
    revision        INTEGER PRIMARY KEY,        -- gap-free; is metadata.resourceVersion
    key             TEXT NOT NULL,              -- /<group>/<plural>/[<namespace>/]<name>
    create_revision INTEGER NOT NULL,
    prev_revision   INTEGER NOT NULL,           -- of the same key; 0 if there was none
    deleted         INTEGER NOT NULL,           -- 1: a tombstone, whose value is the last state
    actor           TEXT NOT NULL,
    cause           INTEGER,                    -- the revision that made the actor write
    at              INTEGER NOT NULL,           -- milliseconds since 1970
    checksum        INTEGER NOT NULL,           -- of the other columns: checksum.ts
    tally           INTEGER NOT NULL,           -- of everything alive at this revision: checksum.ts
    value           BLOB NOT NULL,              -- JSON, as served
    UNIQUE (key, prev_revision)
  );
  CREATE TABLE compactions (
    prefix   TEXT PRIMARY KEY,
    revision INTEGER NOT NULL                   -- states superseded at this revision are gone
  ) WITHOUT ROWID;
`

export interface RevisionRow {
  revision: number
  key: string
  create_revision: number
  prev_revision: number
  deleted: number
  actor: string
  cause: number | null
  at: number
  checksum: number
  tally: number
  value: Buffer
}

/**
 * Whether a person's client wrote the row, as far as one can see: what a component writes has a cause, or is signed
 * with the name of a component. In doubt it is a person's.
 */
const ofComponents = [
  'api-server',
  'controller',
  '*-controller',
  '*-collector',
  '*-publisher',
  'kubelet/*',
  'kube-proxy/*',
  '*-scheduler',
]
const peoples = `(cause IS NULL AND ${ofComponents.map((name) => `actor NOT GLOB '${name}'`).join(' AND ')})`

const forgettable = `revision > :from AND revision <= :to AND revision < :revision AND key >= :start AND key < :end
                       AND NOT (:keepsPeoples AND ${peoples})`

export const sql = {
  insert: `INSERT INTO revisions (revision, key, create_revision, prev_revision, deleted, actor, cause, at,
             checksum, tally, value)
           VALUES (:revision, :key, :create_revision, :prev_revision, :deleted, :actor, :cause, :at,
             :checksum, :tally, :value)`,
  newest: `SELECT revision, tally FROM revisions ORDER BY revision DESC LIMIT 1`,
  newestOfKey: `SELECT revision FROM revisions WHERE key = ? AND revision <= ?
                ORDER BY prev_revision DESC LIMIT 1`,
  load: `SELECT * FROM revisions
         WHERE revision IN (SELECT max(revision) FROM revisions GROUP BY key) AND NOT deleted`,
  all: `SELECT revision, key, create_revision, prev_revision, deleted, actor, cause, at, value FROM revisions
        ORDER BY revision`,
  revision: `SELECT * FROM revisions WHERE revision = ?`,
  keyAt: `SELECT * FROM revisions WHERE key = ? AND revision <= ? ORDER BY prev_revision DESC LIMIT 1`,
  listAt: `SELECT r.* FROM revisions r
           JOIN (SELECT max(revision) AS revision FROM revisions
                 WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key) newest USING (revision)
           WHERE NOT r.deleted ORDER BY r.key`,
  after: `SELECT * FROM revisions WHERE revision > ? AND revision <= ? AND key >= ? AND key < ?
          ORDER BY revision LIMIT ?`,
  history: `SELECT * FROM revisions WHERE key = ? ORDER BY prev_revision DESC`,
  // A row may go when a younger one of its key is old enough, too.
  forgetSuperseded: `DELETE FROM revisions WHERE ${forgettable} AND EXISTS (
                       SELECT 1 FROM revisions younger WHERE younger.key = revisions.key
                         AND younger.prev_revision >= revisions.revision AND younger.revision <= :revision)`,
  // A tombstone may go when there is nothing left that it covers.
  forgetDeleted: `DELETE FROM revisions WHERE ${forgettable} AND deleted AND NOT EXISTS (
                    SELECT 1 FROM revisions older WHERE older.key = revisions.key
                      AND older.revision < revisions.revision)`,
  windowEnd: `SELECT revision FROM revisions WHERE revision > ? ORDER BY revision LIMIT 1 OFFSET ?`,
  sizes: `SELECT revision, key, length(value) AS bytes, ${peoples} AS peoples FROM revisions
          WHERE revision < ? ORDER BY revision DESC LIMIT ?`,
  foreignSecrets: `SELECT count(*) AS count FROM revisions WHERE key >= :start AND key < :end
                     AND substr(value, 1, length(:encrypted)) = :encrypted
                     AND substr(value, 1, length(:ours)) <> :ours`,
  newestCompaction: `SELECT max(revision) AS revision FROM compactions`,
  compactions: `SELECT prefix, revision FROM compactions`,
  setCompaction: `INSERT INTO compactions (prefix, revision) VALUES (?, ?)
                  ON CONFLICT (prefix) DO UPDATE SET revision = excluded.revision`,
} as const

/** 0: there are no tables yet. */
export function versionOf(database: Database): number {
  return database.pragma('user_version', { simple: true }) as number
}

export function createTables(database: Database): void {
  database.transaction(() => {
    database.exec(create)
    database.pragma(`user_version = ${schemaVersion}`)
  })()
}
