/**
 * Reading manifests from where -f points: a file, a directory (its .yaml, .yml and .json, sorted), or `-` for stdin.
 * Lists are taken apart; an empty document is nothing.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubernetesObject } from '@dinghy/shared/api/types'

export type Manifest = Pick<KubernetesObject, 'apiVersion' | 'kind'> & {
  metadata: { name: string; namespace?: string; annotations?: Record<string, string>; [key: string]: unknown }
  [key: string]: unknown
}

export async function readManifests(paths: string[]): Promise<Manifest[]> {
  const texts = await Promise.all(paths.map(async (path) => (path === '-' ? [await readStdin()] : readPath(path))))
  return texts.flat().flatMap(({ path, text }) => parseManifests(path, text))
}

/** Pure. Throws with the file and the line of what is wrong. */
export function parseManifests(path: string, text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [problem] = document.errors
    if (problem) throw new Error(`error parsing ${path}: ${problem.message}`)
    const value = document.toJS() as (Manifest & { items?: Manifest[] }) | null
    if (value === null) return []
    if (!value.kind || !value.apiVersion) throw new Error(`error validating ${path}: apiVersion or kind not set`)
    if (value.kind === 'List') return value.items ?? []
    if (!value.metadata?.name) throw new Error(`error validating ${path}: ${value.kind} has no metadata.name`)
    return [value]
  })
}

function readPath(path: string): { path: string; text: string }[] {
  if (!statSync(path).isDirectory()) return [{ path, text: readFileSync(path, 'utf8') }]
  return readdirSync(path)
    .filter((file) => /\.(ya?ml|json)$/.test(file))
    .toSorted()
    .map((file) => ({ path: join(path, file), text: readFileSync(join(path, file), 'utf8') }))
}

async function readStdin(): Promise<{ path: string; text: string }> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return { path: 'stdin', text: Buffer.concat(chunks).toString() }
}
