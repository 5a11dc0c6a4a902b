/**
 * How Node is told to wake a component from the snapshot that the build has made of it (scripts/snapshot.mjs), which
 * takes less than starting it. A snapshot of another Node, or of one with other V8 flags, is refused by Node, and one
 * that was made in another directory would look for its files there: then the component is started in the ordinary way.
 */

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'

interface SnapshotFacts {
  node: string
  v8: number
  directory: string
  /** What Node is to be told. Missing: the file is of an earlier build. */
  flags?: string[]
}

/** The flags for Node, to stand before `entry`; none if there is no snapshot that would do. */
export function snapshotFlags(entry: string, env: NodeJS.ProcessEnv = process.env): string[] {
  const directory = dirname(entry)
  const facts = factsIn(join(directory, 'snapshot.json'))
  const fits = facts?.node === process.version && facts.v8 === cachedDataVersionTag() && facts.directory === directory
  // Options of Node's own may ask for what a snapshot does not have.
  return fits && !env['NODE_OPTIONS'] ? (facts.flags ?? []) : []
}

function factsIn(path: string): SnapshotFacts | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SnapshotFacts
  } catch (error) {
    // Not every package has one, and none has while it is being built.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
