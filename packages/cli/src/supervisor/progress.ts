/**
 * What a person sees while a cluster starts: a line a component as it becomes ready, then what to do next.
 * On a terminal the lines are coloured; into a file or a pipe they are plain.
 */

import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { nodeAddress } from '../cluster/slot.ts'
import type { ComponentStatus } from './component.ts'
import { apiServerUrl } from './components.ts'
import { lastWords } from './last-words.ts'
import { bold, dim, green, red, yellow } from '@dinghy/clients/command-line/colors'

const purposes: Record<string, string> = {
  'api-server': 'the only one that opens the database',
  scheduler: 'chooses a node for each pod',
  controller: 'Deployments, ReplicaSets, endpoints, garbage, nodes',
  runtime: 'images and containers, behind the Docker API',
}

export class Progress {
  readonly #config: ClusterConfig
  readonly #state: StateDir
  readonly #startedAt: number
  readonly #sameCluster: string
  readonly #before = new Map<string, ComponentStatus>()
  #isStopping = false

  /** `sameCluster`: the flags by which another `dinghy` finds this cluster. */
  constructor(config: ClusterConfig, state: StateDir, startedAt: number, sameCluster: string) {
    this.#config = config
    this.#state = state
    this.#startedAt = startedAt
    this.#sameCluster = sameCluster
    console.log(`${bold('dinghy')} cluster "${config.cluster}" ${dim(`in ${state.root}`)}`)
  }

  update(statuses: ComponentStatus[]): void {
    if (this.#isStopping) return
    for (const status of statuses) {
      const before = this.#before.get(status.name)
      if (status.ready && !before?.ready)
        this.#line(green('\u2714'), status, purposes[status.name] ?? purposeOfNode(status.name))
      if (before?.pid !== undefined && status.pid === undefined) {
        if (status.stopped) this.#line(yellow('\u25cc'), status, 'stopped')
        else this.#line(red('\u2718'), status, obituary(this.#state.log(status.name)))
      }
      this.#before.set(status.name, status)
    }
  }

  ready(): void {
    const { nodes, slot } = this.#config
    const addresses = nodes.map((_, index) => nodeAddress(slot, index + 1)).join(', ')
    const up = nodes.filter((node) => !node.stopped).length
    const detached = process.send !== undefined
    console.log(
      [
        '',
        `${green('\u2714')} ${bold(`${up} ${up === 1 ? 'node' : 'nodes'} Ready`)} in ${this.#seconds()} ${dim(`at ${apiServerUrl(this.#config)}, nodes ${addresses}`)}`,
        '',
        `  In a second terminal:   ${bold(`eval "$(npx dinghy env${this.#sameCluster})"`)}`,
        '                          kubectl get nodes',
        ...(detached ? [] : ['', dim('  Ctrl-C stops the cluster; the next start resumes it.')]),
        '',
      ].join('\n'),
    )
    if (detached) process.send?.('ready')
  }

  stopping(): void {
    this.#isStopping = true
    console.log(`\n${yellow('\u25cc')} stopping: controllers, nodes, containers, then runtime and store \u2026`)
  }

  stopped(): void {
    console.log(`${green('\u2714')} stopped; everything is kept in ${this.#state.root}`)
  }

  #line(mark: string, status: ComponentStatus, text: string): void {
    console.log(`  ${mark} ${status.name.padEnd(20)} ${dim(`${this.#seconds().padStart(7)}  ${text}`)}`)
  }

  #seconds(): string {
    return `${((performance.now() - this.#startedAt) / 1000).toFixed(2)} s`
  }
}

function obituary(log: string): string {
  const said = lastWords(log)
  return `died${said === undefined ? '' : ` (${said})`}; starting it again, see ${log}`
}

function purposeOfNode(name: string): string {
  return name.startsWith('proxy-') ? 'Services of this node' : 'the kubelet: pods to containers'
}
