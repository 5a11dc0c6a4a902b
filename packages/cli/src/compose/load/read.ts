// One compose file as a tree: YAML with anchors and merge keys, `!reset` and `!override` marked for merging.

import { readFileSync } from 'node:fs'
import { parseDocument, type ScalarTag, type CollectionTag } from 'yaml'
import { isTree, Replacement } from './merge.ts'

/** The four names that are looked for, in this order, where no -f is given. */
export const defaultNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']
export const overrideNames: Record<string, string> = {
  'compose.yaml': 'compose.override.yaml',
  'compose.yml': 'compose.override.yml',
  'docker-compose.yaml': 'docker-compose.override.yaml',
  'docker-compose.yml': 'docker-compose.override.yml',
}

export function readComposeFile(path: string): Record<string, unknown> {
  return parseCompose(readFileSync(path, 'utf8'), path)
}

/** Pure. Throws with the file and the line of what is wrong. */
export function parseCompose(text: string, path: string): Record<string, unknown> {
  const document = parseDocument(text, { merge: true, customTags: tags })
  const [problem] = document.errors
  if (problem) throw new Error(`yaml: ${path}: ${problem.message}`)
  const tree: unknown = document.toJS({ maxAliasCount: 1000 })
  if (!isTree(tree)) throw new Error(`${path}: top-level object must be a mapping`)
  return tree
}

const tagged = (tag: string): (ScalarTag | CollectionTag)[] => [
  { tag, resolve: (text: string) => new Replacement(tag === '!reset' ? undefined : text) },
  { tag, collection: 'seq', resolve: (node) => new Replacement(tag === '!reset' ? undefined : node.toJSON()) },
  { tag, collection: 'map', resolve: (node) => new Replacement(tag === '!reset' ? undefined : node.toJSON()) },
]

const tags = [...tagged('!reset'), ...tagged('!override')]
