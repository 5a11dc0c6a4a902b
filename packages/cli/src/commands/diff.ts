/**
 * `dinghy diff --from 120 [--to 140]`: what differs in the whole cluster between two revisions, object by object.
 */

import { type Command, InvalidArgumentError, Option } from 'commander'
import { bold, dim, green, red, yellow } from '@dinghy/clients/command-line/colors'
import { exitWith } from '@dinghy/clients/command-line/command'
import { readJson } from '@dinghy/shared/http/client'
import { clusterCommand, type ClusterOptions } from './cluster-command.ts'
import { type ChangeSeen, renderChange } from './history.ts'
import { clientOf } from './object-history.ts'

interface DiffOptions extends ClusterOptions {
  from: number
  to?: number
  output: 'text' | 'json'
}

/** As GET /debug/diff returns it. */
export interface ClusterDiffSeen {
  from: number
  to: number
  objects: {
    kind: string
    namespace?: string
    name: string
    what: 'created' | 'changed' | 'replaced' | 'deleted'
    revision?: number
    changes: ChangeSeen[]
  }[]
}

export function diff(): Command {
  return clusterCommand('diff', ['dinghy diff --from 120', 'dinghy diff --from 120 --to 140'])
    .description(
      'What differs in the cluster between two revisions, object by object. Leases and Events, which always differ, are left out.',
    )
    .requiredOption('--from <revision>', 'the earlier revision, such as `dinghy history` shows', revisionOf)
    .option('--to <revision>', 'the later revision (default: now)', revisionOf)
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .action(exitWith(run))
}

function revisionOf(text: string): number {
  const digits = /^r?(\d+)$/.exec(text)?.[1]
  if (digits === undefined) throw new InvalidArgumentError('a revision is a number, such as 120 or r120.')
  return Number(digits)
}

async function run(options: DiffOptions): Promise<number> {
  const client = await clientOf(options)
  const asked = new URLSearchParams({ from: String(options.from), ...(options.to ? { to: String(options.to) } : {}) })
  const seen = await readJson<ClusterDiffSeen>(await client.raw('GET', `/debug/diff?${asked}`))
  console.log(options.output === 'json' ? JSON.stringify(seen, null, 2) : renderDiff(seen, process.stdout.columns))
  return 0
}

const paints = { created: green, changed: yellow, replaced: yellow, deleted: red }

/** Pure. */
export function renderDiff({ from, to, objects }: ClusterDiffSeen, columns = Infinity): string {
  if (objects.length === 0) return `nothing differs between r${from} and r${to}, Leases and Events aside`
  const lines = objects.map(({ kind, namespace, name, what, revision, changes }) => {
    const place = namespace ? dim(` in ${namespace}`) : ''
    const at = revision === undefined ? '' : dim(`  r${revision}`)
    const changed = changes.map((change) => renderChange(change, columns)).join('')
    return `${paints[what](what.padEnd(8))} ${bold(`${kind.toLowerCase()}/${name}`)}${place}${at}${changed}`
  })
  return [dim(`from r${from} to r${to}`), ...lines].join('\n')
}
