/**
 * `dinghy node VERB NAME`: what happens to machines. `stop` is a power cut: the node's agent, its proxy and its
 * containers are killed, and the rest of the cluster notices only that heartbeats stop. `cut` pulls its network cable:
 * everything on it runs on, and nobody hears of it. `add` and `remove` change how many there are.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Command } from 'commander'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { systemClock } from '@dinghy/shared/api/clock'
import { showWhile } from '@dinghy/clients/command-line/status-line'
import type { ClusterConfig, NodeConfig } from '../cluster/state-dir.ts'
import { holdsNamespace } from '../machines/machines.ts'
import { addNode, changeNode, statusOfRunning } from '../supervisor/control-client.ts'
import { send } from '../supervisor/http.ts'
import { NoCables, UnknownNode } from '../supervisor/supervisor.ts'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'

export function node(): Command {
  const command = clusterCommand('node', ['dinghy node stop node-2', 'dinghy node cut node-3', 'dinghy node add'])
  command
    .enablePositionalOptions()
    .description("Pull a node's plug or its cable, slow it down, add and remove nodes, look into one.")
  for (const verb of [stop, start, cut, heal, delay, add, remove, shell]) command.addCommand(verb())
  return command
}

function stop(): Command {
  return verbOf('stop', "Pull a node's plug: its processes and its containers are killed.").action(
    exitWith(async (options: ClusterOptions, name: string) => {
      const stopping = changeNode(stateOf(options), name, 'stop')
      const describe = () => `node ${name}: killing its agent, its proxy and its containers`
      await showWhile(stopping, describe, { clock: systemClock })
      return say(`node ${name} is off`)
    }),
  )
}

function start(): Command {
  return verbOf('start', 'Plug a node in again; it becomes Ready by itself.').action(
    exitWith(async (options: ClusterOptions, name: string) => {
      await changeNode(stateOf(options), name, 'start')
      return say(`node ${name} is starting`)
    }),
  )
}

function cut(): Command {
  return verbOf('cut', "Pull a node's network cable: what is on it runs on, and nobody hears of it.").action(
    exitWith(async (options: ClusterOptions, name: string) => {
      await changeNode(stateOf(options), name, 'cut')
      return say(`the cable of ${name} is pulled; \`dinghy node heal ${name}\` plugs it in again`)
    }),
  )
}

function heal(): Command {
  return verbOf('heal', 'Plug the cable of a node in again.').action(
    exitWith(async (options: ClusterOptions, name: string) => {
      await changeNode(stateOf(options), name, 'heal')
      return say(`the cable of ${name} is plugged in`)
    }),
  )
}

function delay(): Command {
  return clusterCommand('delay', ['dinghy node delay node-2 200ms', 'dinghy node delay node-2 0'])
    .description('Let every packet to a node be late. 0 ends that.')
    .argument('<name>', 'the node')
    .argument('<time>', 'by how much, such as 200ms')
    .action(
      exitWith(async (options: ClusterOptions, name: string, time: string) => {
        if (!/^(0|\d+(\.\d+)?(us|ms|s))$/.test(time)) {
          throw new UsageError(`a delay is a time such as 200ms, or 0, not "${time}"`)
        }
        await changeNode(stateOf(options), name, 'delay', time === '0' ? {} : { delay: time })
        return say(time === '0' ? `packets to ${name} are not delayed` : `packets to ${name} are late by ${time}`)
      }),
    )
}

function add(): Command {
  return clusterCommand('add', ['dinghy node add'])
    .description('One more node; it becomes Ready by itself.')
    .action(exitWith(async (options: ClusterOptions) => say(`node ${await addNode(stateOf(options))} is starting`)))
}

function remove(): Command {
  return verbOf(
    'remove',
    'Switch a node off for good. `kubectl drain` it first if its pods shall move in peace.',
  ).action(
    exitWith(async (options: ClusterOptions, name: string) => {
      const state = stateOf(options)
      await changeNode(state, name, 'remove')
      const url = `/api/v1/nodes/${encodeURIComponent(name)}`
      const { status, text } = await send({ method: 'DELETE', url, socketPath: state.adminSocket, timeoutMs: 10_000 })
      if (status !== 200 && status !== 404)
        throw new Error(`node ${name} is gone, its Node object is not: ${text.trim()}`)
      return say(`node ${name} is removed`)
    }),
  )
}

function shell(): Command {
  return clusterCommand('shell', ['dinghy node shell node-1', 'dinghy node shell node-1 ip route'])
    .description(
      "A shell, or a command, in a node's network: its addresses, routes and rules, and this machine's files.",
    )
    .argument('<name>', 'the node')
    .argument('[command...]', 'what to run (default: $SHELL)')
    .passThroughOptions()
    .action(
      exitWith(async (options: ClusterOptions, name: string, command: string[]) => {
        const state = stateOf(options)
        const { network, pid } = await statusOfRunning(state)
        const config = state.readConfig()
        const rootless = config?.rootless ?? false
        if (network !== 'machines') throw new NoCables()
        const nodes = config?.nodes.map((each) => each.name) ?? []
        if (!nodes.includes(name)) throw new UnknownNode(name, nodes)
        const file = join(state.machines, name)
        // From outside of an ordinary user's mount namespace the file is empty.
        const isOn = rootless ? !nodeOf(config, name)?.stopped : holdsNamespace(file)
        if (!isOn) throw new Error(`node ${name} is off; \`dinghy node start ${name}\` plugs it in`)
        const words = command.length > 0 ? command : [process.env['SHELL'] || '/bin/sh']
        const [program = '', ...before] = rootless ? intoNamespacesOf(pid) : ['env']
        const child = spawn(program, [...before, 'nsenter', `--net=${file}`, '--', ...words], { stdio: 'inherit' })
        const [code] = (await once(child, 'exit')) as [number | null]
        return code ?? 1
      }),
    )
}

function nodeOf(config: ClusterConfig | undefined, name: string): NodeConfig | undefined {
  return config?.nodes.find((each) => each.name === name)
}

function intoNamespacesOf(pid: number): string[] {
  return ['nsenter', '--user', '--mount', `--target=${pid}`, '--preserve-credentials', `--wdns=${process.cwd()}`, '--']
}

function verbOf(verb: string, description: string): Command {
  return clusterCommand(verb, [`dinghy node ${verb} node-2`])
    .description(description)
    .argument('<name>', 'the node')
}

function say(text: string): number {
  console.log(text)
  return 0
}
