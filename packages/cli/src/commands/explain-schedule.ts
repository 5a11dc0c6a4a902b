/**
 * `dinghy explain-schedule POD`: what each plugin of the scheduler says of each node about a pod, as a table. A pod
 * that waits is explained as things are now; one that has a node, as the scheduler saw them when it decided, or, if it
 * has forgotten that, as the store had them right before.
 */

import type { Command } from 'commander'
import { bold, cyan, dim, green, red } from '@dinghy/clients/command-line/colors'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { readRunFile } from '../supervisor/health.ts'
import { statusOfRunning } from '../supervisor/control-client.ts'
import { onDebugServer, send } from '../supervisor/http.ts'
import { clusterCommand, stateOf } from './cluster-command.ts'
import type { RevisionSeen } from './history.ts'
import { askAbout, type ObjectOptions, outputOption } from './object-history.ts'

/** As the scheduler's /debug/explain-schedule answers. */
export interface ScheduleSeen {
  seenBy: 'scheduler' | 'store'
  revision: string
  nodeName?: string
  decided?: string
  nodes: {
    node: string
    refusals: { plugin: string; reasons: string[] }[]
    scores: { plugin: string; weight: number; raw: number; score: number }[]
    total?: number
  }[]
  best: string[]
}

interface ExplainOptions extends ObjectOptions {
  at?: string
}

/** Ten lists and the plugins' work at some hundred nodes. */
const answerWithinMs = 30_000

export function explainSchedule(): Command {
  return clusterCommand('explain-schedule', [
    'dinghy explain-schedule web-7f9c-x2x4q',
    'dinghy explain-schedule web-7f9c-x2x4q --at 120',
  ])
    .description(
      'Why a pod is on its node, or on none: per node what each plugin of the scheduler says, and the scores.',
    )
    .argument('<pod>', 'its name, or pod/NAME')
    .option('-n, --namespace <name>', 'of the pod', 'default')
    .option('--at <revision>', 'as things were then (default: right before the pod got its node; now, if it has none)')
    .addOption(outputOption())
    .action(exitWith((options: ExplainOptions, pod) => run(options, pod)))
}

async function run(options: ExplainOptions, word = ''): Promise<number> {
  const name = word.replace(/^pods?\//, '')
  if (name === '' || name.includes('/')) throw new UsageError('name a pod: dinghy explain-schedule web-7f9c-x2x4q')
  const state = stateOf(options)
  const { components } = await statusOfRunning(state)
  const scheduler = components.find((component) => component.name === 'scheduler')
  const debug = scheduler?.pid === undefined ? undefined : readRunFile(state.runFile('scheduler'), scheduler.pid)?.debug
  if (debug === undefined) throw new Error('the scheduler is not running')
  const ask = async (at: string | undefined): Promise<ScheduleSeen> => {
    const query = new URLSearchParams({ namespace: options.namespace, name, ...(at === undefined ? {} : { at }) })
    const question = onDebugServer(debug, `/debug/explain-schedule?${query}`)
    const { status, text } = await send({ method: 'GET', ...question, timeoutMs: answerWithinMs })
    if (status !== 200) throw new Error(text.trim() || 'the scheduler is not there')
    return JSON.parse(text) as ScheduleSeen
  }
  let seen = await ask(options.at)
  if (options.at === undefined && seen.nodeName !== undefined) {
    const binding = await bindingOf(options, name)
    if (binding !== undefined) seen = { ...(await ask(binding.before)), decided: binding.node }
  }
  console.log(options.output === 'json' ? JSON.stringify(seen, null, 2) : renderSchedule(name, seen))
  return 0
}

/** undefined: the pod has no node, or nobody knows any more how it got it. */
async function bindingOf(options: ExplainOptions, name: string): Promise<{ before: string; node: string } | undefined> {
  const words = ['pods', name]
  const { revisions } = await askAbout<{ revisions: RevisionSeen[] }>('/debug/history', options, words, {
    diff: 'true',
  })
  for (const { revision, changes = [] } of revisions) {
    const change = changes.find(({ path, before }) => path === '/spec/nodeName' && before === undefined)
    if (change !== undefined) return { before: `${revision - 1}`, node: `${change.after}` }
  }
  return undefined
}

/** A row a node, a column a plugin; below it the refusals. Pure. */
export function renderSchedule(
  pod: string,
  { seenBy, revision, nodeName, decided, nodes, best }: ScheduleSeen,
): string {
  const state = decided === undefined ? 'has no node' : `is given ${cyan(decided)}`
  const whose = seenBy === 'scheduler' ? 'as the scheduler saw it' : `as the store has it at r${revision}`
  const title = `${bold(pod)} ${nodeName === undefined ? state : `is on ${cyan(nodeName)}`} ${dim(`(${whose})`)}`
  return [title, ...scoreTable(nodes, best), ...refusalLines(nodes), verdict(nodes, best)].join('\n')
}

function scoreTable(nodes: ScheduleSeen['nodes'], best: string[]): string[] {
  const plugins = nodes.find(({ scores }) => scores.length > 0)?.scores ?? []
  if (plugins.length === 0) return []
  const head = [
    'NODE',
    ...plugins.map(({ plugin, weight }) => `${plugin}${weight === 1 ? '' : ` \u00d7${weight}`}`),
    'TOTAL',
  ]
  const fitting = nodes.filter(({ total }) => total !== undefined)
  const rows = fitting
    .toSorted((a, b) => (b.total ?? 0) - (a.total ?? 0))
    .map(({ node, scores, total }) => [node, ...scores.map(({ score }) => `${score}`), `${total}`])
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: string[]): string => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return [dim(line(head)), ...rows.map((row) => (best.includes(row[0] ?? '') ? green(line(row)) : line(row)))]
}

function refusalLines(nodes: ScheduleSeen['nodes']): string[] {
  return nodes.flatMap(({ node, refusals }) =>
    refusals.map(({ plugin, reasons }) => `${red('no')}  ${node}: ${reasons.join(', ')} ${dim(`(${plugin})`)}`),
  )
}

function verdict(nodes: ScheduleSeen['nodes'], best: string[]): string {
  if (nodes.length === 0) return 'there are no nodes'
  const [first] = best
  if (first === undefined) return `no node fits: 0 of ${nodes.length}`
  const fitting = nodes.filter(({ total }) => total !== undefined).length
  if (fitting === 1) return `${bold(first)} is the only node that fits: nothing is scored`
  if (best.length === 1) return `${bold(first)} has the highest score`
  return `${best.map(bold).join(', ')} have the same score: the scheduler takes any of them`
}
