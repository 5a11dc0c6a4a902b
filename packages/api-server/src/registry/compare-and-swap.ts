/**
 * The last step of every write: store the object if its key still is as the writer saw it.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Mutation, Storage } from '../storage/storage.ts'
import { Entry, RevisionConflict } from '../storage/storage.ts'
import type { WriteContext } from './write-context.ts'

/** Undefined if the key exists. On a dry run nothing is stored, and the entry has no revision. */
export function insert(
  storage: Storage,
  key: string,
  object: KubernetesObject,
  context: WriteContext,
): Promise<Entry | undefined> {
  return swap(storage, { key, expected: 0, object, deleted: false }, storage.get(key), context)
}

/** Undefined if somebody else wrote first. On a dry run nothing is stored, and the entry keeps the old revision. */
export function replace(
  storage: Storage,
  current: Entry,
  object: KubernetesObject,
  deleted: boolean,
  context: WriteContext,
): Promise<Entry | undefined> {
  return swap(storage, { key: current.key, expected: current.revision, object, deleted }, current, context)
}

async function swap(
  storage: Storage,
  mutation: Omit<Mutation, 'actor' | 'cause'>,
  current: Entry | undefined,
  { actor, cause, dryRun }: WriteContext,
): Promise<Entry | undefined> {
  const { key, expected, object } = mutation
  if ((current?.revision ?? 0) !== expected) return undefined
  if (dryRun) return new Entry(key, expected, current?.createRevision ?? 0, Buffer.from(JSON.stringify(object)))
  try {
    const [entry] = await storage.write([{ ...mutation, actor, cause }])
    return entry
  } catch (error) {
    if (error instanceof RevisionConflict) return undefined
    throw error
  }
}
