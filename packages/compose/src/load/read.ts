/**
 * One compose file as a tree: YAML with anchors and merge keys, `!reset` and `!override` marked for merging.
 */

import { existsSync, readFileSync } from 'node:fs'
import { type CollectionTag, parseDocument, type ScalarTag } from 'yaml'
import { ComposeError } from '../compose-error.ts'
import { isTree, Replacement, type Tree } from './tree.ts'

/** `-` is standard input. */
export function readComposeFile(path: string): Tree {
  if (path !== '-' && !existsSync(path)) throw new ComposeError(`open ${path}: no such file or directory`)
  return parseCompose(readFileSync(path === '-' ? 0 : path, 'utf8'), path)
}

/** Pure. Throws with the file and the line of what is wrong. */
function parseCompose(text: string, path: string): Tree {
  const document = parseDocument(text, { merge: true, customTags: (known) => [octal, ...known, ...tags] })
  const [problem] = document.errors
  if (problem) throw new ComposeError(`yaml: ${path}: ${problem.message}`)
  const tree: unknown = document.toJS({ maxAliasCount: 1000 })
  if (!isTree(tree)) throw new ComposeError(`${path}: top-level object must be a mapping`)
  return tree
}

function tagged(tag: string): (ScalarTag | CollectionTag)[] {
  return [
    { tag, resolve: (text: string) => new Replacement(tag === '!reset' ? undefined : text) },
    { tag, collection: 'seq', resolve: (node) => new Replacement(tag === '!reset' ? undefined : node.toJSON()) },
    { tag, collection: 'map', resolve: (node) => new Replacement(tag === '!reset' ? undefined : node.toJSON()) },
  ]
}

/** `mode: 0440` is octal in compose files, as it was in YAML 1.1. */
const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^0[0-7]+$/,
  resolve: (text: string) => Number.parseInt(text, 8),
}

const tags = [...tagged('!reset'), ...tagged('!override')]
