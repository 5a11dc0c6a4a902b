/**
 * `dinghy pause|resume|step|queue COMPONENT[/LOOP]`: looks into the control loops of a component and stops and steps
 * them. Every loop takes its work from a queue with a gate (shared/reconcile/gate.ts); these commands move the gates.
 */

import type { Command } from 'commander'
import type { QueueSnapshot } from '@dinghy/shared/reconcile/gate'
import { statusOfRunning } from '../supervisor/control-client.ts'
import { askGates, type GateAnswers, type GateVerb } from '../supervisor/gates.ts'
import { readRunFile } from '../supervisor/health.ts'
import { bold, dim, yellow } from '@dinghy/clients/command-line/colors'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'

export function pause(): Command {
  return gateCommand('pause', 'Hold the control loops of a component: keys keep arriving, none is worked on.', [
    'dinghy pause scheduler',
    'dinghy pause controller/replicaset-controller',
  ])
}

export function resume(): Command {
  return gateCommand('resume', 'Let the control loops of a component run again.', ['dinghy resume scheduler'])
}

export function step(): Command {
  return gateCommand('step', 'Let one key through a loop that is paused.', ['dinghy step scheduler'])
}

export function queue(): Command {
  return gateCommand('queue', 'What the control loops of a component wait for, and which revision asked for it.', [
    'dinghy queue scheduler',
    'dinghy queue controller/deployment-controller',
  ]).option('-a, --all', 'also the loops that have nothing to do')
}

function gateCommand(verb: GateVerb, description: string, examples: string[]): Command {
  return clusterCommand(verb, examples)
    .description(description)
    .argument('<component[/loop]>', 'a process of `dinghy status`, and one of its loops')
    .action(exitWith((options: GateOptions, target) => run(verb, options, target)))
}

interface GateOptions extends ClusterOptions {
  all?: boolean
}

async function run(verb: GateVerb, options: GateOptions, target = ''): Promise<number> {
  const state = stateOf(options)
  const { components } = await statusOfRunning(state)
  const [name = '', loop] = target.split('/')
  const component = components.find((component) => component.name === name)
  if (!component) {
    throw new UsageError(
      `there is no "${name}" in this cluster; it has ${components.map(({ name }) => name).join(', ')}`,
    )
  }
  const debug = component.pid === undefined ? undefined : readRunFile(state.runFile(name), component.pid)?.debug
  if (debug === undefined) throw new Error(`${name} is not running`)
  const queues = await askGates(debug, verb, loop)
  if (Object.keys(queues).length === 0) throw new Error(`${name} has no control loops`)
  console.log(renderGates(name, verb, queues, options.all || loop !== undefined))
  return 0
}

/** Pure. */
export function renderGates(component: string, verb: GateVerb, queues: GateAnswers, all = false): string {
  const names = Object.keys(queues)
  if (verb === 'queue') return renderQueues(queues as Record<string, QueueSnapshot>, all)
  if (verb === 'step') return renderSteps(component, queues)
  const which = names.length === 1 ? names[0] : `${names.length} loops of ${component}`
  if (verb === 'resume') return `resumed ${which}`
  return `paused ${which}; \`dinghy step ${component}\` lets one key through, \`dinghy resume ${component}\` all`
}

function renderSteps(component: string, queues: GateAnswers): string {
  const stepped = Object.entries(queues).flatMap(([name, answer]) => {
    if (!('stepped' in answer) || !answer.stepped) return []
    // The loop takes the key a moment later: it was still counted.
    return [`${name}: let ${answer.stepped} through, ${Math.max(0, (answer.length ?? 0) - 1)} more wait`]
  })
  if (stepped.length > 0) return stepped.join('\n')
  return `nothing waits at a closed gate (\`dinghy queue ${component}\` shows the queues)`
}

function renderQueues(queues: Record<string, QueueSnapshot>, all: boolean): string {
  const shown = Object.entries(queues).filter(([, queue]) => all || queue.paused || lengthOf(queue) > 0)
  const quiet = Object.keys(queues).length - shown.length
  const rest =
    quiet > 0 ? [dim(`${quiet} ${quiet === 1 ? 'loop has' : 'loops have'} nothing to do (--all shows them)`)] : []
  return [...shown.map(([name, queue]) => renderQueue(name, queue)), ...rest].join('\n')
}

function lengthOf({ queued, processing, delayed }: QueueSnapshot): number {
  return queued.length + processing.length + delayed.length
}

function renderQueue(name: string, { paused, queued, processing, delayed, ...more }: QueueSnapshot): string {
  const because = (cause: string | undefined) => dim(cause === undefined ? '  a timer' : `  because of r${cause}`)
  const { unschedulable = [] } = more as { unschedulable?: { key: string; refusedBy: string[] }[] }
  return [
    `${bold(name)}${paused ? yellow(' paused') : ''}`,
    ...processing.map(({ key, cause }) => `  at work  ${key}${because(cause)}`),
    ...queued.map(({ key, cause }) => `  waits    ${key}${because(cause)}`),
    ...delayed.map(
      ({ key, cause, dueInMs }) => `  ${`${(dueInMs / 1_000).toFixed(1)}s`.padEnd(7)}  ${key}${because(cause)}`,
    ),
    ...unschedulable.map(({ key, refusedBy }) => `  no node  ${key}${dim(`  refused by ${refusedBy.join(', ')}`)}`),
  ].join('\n')
}
