/**
 * `dinghy why KIND/NAME`: walks the chain of writes that led to an object, from the newest back to the one that
 * somebody outside of the cluster made.
 */

import type { Command } from 'commander'
import { bold, cyan, dim } from '@dinghy/clients/command-line/colors'
import { askAbout, clock, objectCommand, type ObjectOptions } from './object-history.ts'

/** One write, as GET /debug/why returns it: the object's own last write first, its causes after it. */
export interface Write {
  revision: number
  kind: string
  namespace?: string
  name: string
  verb: 'create' | 'update' | 'delete'
  actor: string
  cause?: number
  at: string
  summary?: string
}

export function why(): Command {
  return objectCommand('why', ['dinghy why pod/web-7f9c-x2x4q', 'dinghy why deploy/web'], run).description(
    'The chain of writes that led to an object: the newest first, below each write the one that caused it.',
  )
}

async function run(options: ObjectOptions, words: string[]): Promise<number> {
  const { chain } = await askAbout<{ chain: Write[] }>('/debug/why', options, words)
  console.log(options.output === 'json' ? JSON.stringify(chain, null, 2) : renderChain(chain, process.stdout.columns))
  return 0
}

const verbs = { create: 'created', update: 'updated', delete: 'deleted' }
/** However long the chain is, its tree leaves room for words. */
const deepestIndent = 12

/** The chain as people read it: the last write on top, each cause below what it caused. Pure. */
export function renderChain(chain: Write[], columns = Infinity): string {
  const lines = chain.map((write, index) => renderWrite(write, index, columns))
  const last = chain.at(-1)
  if (last?.cause !== undefined)
    lines.push(dim(`${indentOf(chain.length)}\u21b3 r${last.cause}, which has been compacted`))
  return [dim('newest first; each write was caused by the one below it'), ...lines].join('\n')
}

function renderWrite(write: Write, index: number, columns: number): string {
  const what = `${write.kind.toLowerCase()}/${write.name}`
  const did = write.summary || verbs[write.verb]
  const by = `by ${write.actor}`
  const when = `r${write.revision}  ${clock(write.at)}`
  const indent = `${indentOf(index)}${index === 0 ? '' : '\u21b3 '}`
  const painted = `${indent === '' ? '' : dim(indent)}${bold(what)} ${did}`
  const width = indent.length + what.length + did.length + by.length + when.length + 4
  if (width <= columns) return `${painted} by ${cyan(write.actor)}  ${dim(when)}`
  const hanging = ' '.repeat(indent.length + 2)
  const head =
    `${indent}${what} ${did}`.length <= columns
      ? painted
      : `${dim(indent)}${bold(what)}\n${fold(did, hanging, columns)}`
  return `${head}\n${hanging}by ${cyan(write.actor)}  ${dim(when)}`
}

function indentOf(index: number): string {
  return ' '.repeat(Math.min(Math.max(0, index - 1), deepestIndent))
}

/** Breaks a text at its spaces into lines that fit. Pure. */
export function fold(text: string, indent: string, columns: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && indent.length + line.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map((line) => `${indent}${line}`).join('\n')
}
