/**
 * The one place where better-sqlite3 is loaded, and where it is decided which one: 13 on Node 22 and newer, 12 on
 * Node 20. 13 dies there with a segmentation fault, and 12 aborts in the garbage collection of Node 24.19 and newer.
 * 13 brings its binaries inside the package; 12 (`better-sqlite3-node20`) is fetched or compiled by the install, and
 * only by one that runs on Node 20 (scripts/bootstrap.mjs).
 */

import { createRequire } from 'node:module'
import type BetterSqlite from 'better-sqlite3'

export function sqliteLibrary(): typeof BetterSqlite {
  const [major] = process.versions.node.split('.').map(Number)
  const name = major !== undefined && major >= 22 ? 'better-sqlite3' : 'better-sqlite3-node20'
  return createRequire(import.meta.url)(name) as typeof BetterSqlite
}
