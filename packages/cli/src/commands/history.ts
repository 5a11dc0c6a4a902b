/**
 * `dinghy history KIND/NAME`: every revision of an object: who wrote what, when, and because of which other write.
 */

import type { Command } from 'commander'
import { bold, cyan, dim, green, red } from '@dinghy/clients/command-line/colors'
import { askAbout, clock, objectCommand, type ObjectOptions } from './object-history.ts'
import { fold } from './why.ts'

interface HistoryOptions extends ObjectOptions {
  diff?: boolean
}

/** One field, with its value before and after; absent where there was nothing. */
export interface ChangeSeen {
  path: string
  before?: unknown
  after?: unknown
}

export interface RevisionSeen {
  revision: number
  actor: string
  cause?: number
  at: string
  verb: string
  facts: string[]
  changed: string[]
  /** With --diff. */
  changes?: ChangeSeen[]
}

export function history(): Command {
  return objectCommand('history', ['dinghy history deploy/web', 'dinghy history deploy/web --diff'], run)
    .description('Every revision of an object, the newest first: who wrote what, when, and because of which write.')
    .option('--diff', 'show each changed field with its value before and after')
}

async function run(options: HistoryOptions, words: string[]): Promise<number> {
  const query: Record<string, string> = options.diff ? { diff: 'true' } : {}
  const { revisions } = await askAbout<{ revisions: RevisionSeen[] }>('/debug/history', options, words, query)
  const { columns } = process.stdout
  console.log(options.output === 'json' ? JSON.stringify(revisions, null, 2) : renderHistory(revisions, columns))
  return 0
}

/** Pure. */
export function renderHistory(revisions: RevisionSeen[], columns = Infinity): string {
  const entries = revisions.map((revision) => {
    const { cause, facts, changes } = revision
    const because = cause === undefined ? '' : dim(` because of r${cause}`)
    const head = `${bold(`r${revision.revision}`.padEnd(6))} ${dim(clock(revision.at))} ${revision.verb} by ${cyan(revision.actor)}${because}`
    const told = facts.length > 0 ? `\n${fold(facts.join(', '), '       ', columns)}` : ''
    return `${head}${told}${(changes ?? []).map((change) => renderChange(change, columns)).join('')}`
  })
  return [dim('newest first'), ...entries].join('\n')
}

/** Two lines below the field's path, each cut to the terminal's width. Pure. */
export function renderChange({ path, before, after }: ChangeSeen, columns: number): string {
  // The empty path is the whole object, which its creation and deletion say already.
  return path === '' ? '' : `\n       ${path}${renderValues({ before, after }, columns)}`
}

export function renderValues({ before, after }: Omit<ChangeSeen, 'path'>, columns: number): string {
  const line = (mark: string, value: unknown) => {
    const text = `         ${mark} ${JSON.stringify(value)}`
    return text.length > columns ? `${text.slice(0, columns - 1)}\u2026` : text
  }
  return [
    ...(before === undefined ? [] : [`\n${red(line('-', before))}`]),
    ...(after === undefined ? [] : [`\n${green(line('+', after))}`]),
  ].join('')
}
