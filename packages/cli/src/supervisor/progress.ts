/**
 * What a person sees while a cluster starts: a line a component as it becomes ready, then what to do next.
 * On a terminal the lines are coloured; into a file or a pipe they are plain.
 */

import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { numbered } from '../cluster/nodes.ts'
import { addressesOf } from '../cluster/addresses.ts'
import type { ComponentStatus } from './component.ts'
import { apiServerUrl } from './components.ts'
import { lastWords } from './last-words.ts'
import { bold, dim, green, red, yellow } from '@dinghy/clients/command-line/colors'

const purposes: Record<string, string> = {
  'api-server': 'the only one that opens the database',
  scheduler: 'chooses a node for each pod',
  controller: 'Deployments, ReplicaSets, endpoints, nodes',
  runtime: 'images and containers, behind the Docker API',
  dns: 'names of Services and pods',
  ingress: 'Ingresses and Gateways',
  gateway: 'node ports and LoadBalancers, from this machine',
}

/** After so long without a change, what is missing is named. */
const patienceMs = 2_000

export interface ProgressOptions {
  config: ClusterConfig
  state: StateDir
  startedAt: number
  /** The command line that points a shell at this cluster. */
  env: string
  /** Whoever typed `up` reads what we print. */
  isDetached: boolean
}

export class Progress {
  readonly #options: ProgressOptions
  readonly #before = new Map<string, ComponentStatus>()
  #changedAt = performance.now()
  #isStopping = false

  constructor(options: ProgressOptions) {
    this.#options = options
    const { config, state } = options
    console.log(`${bold('dinghy')} cluster "${config.cluster}" ${dim(`in ${state.root}`)}`)
  }

  update(statuses: ComponentStatus[]): void {
    if (this.#isStopping) return
    for (const status of statuses) {
      const before = this.#before.get(status.name)
      if (status.ready && !before?.ready) {
        const purpose = purposes[status.name] ?? purposeOfNode(status.name)
        this.#line(green('\u2714'), status, before?.settled ? 'is ready again' : purpose)
      }
      if (status.silent && !before?.silent) this.#line(red('\u2718'), status, 'does not answer')
      if (before?.pid !== undefined && status.pid === undefined) {
        if (status.stopped) this.#line(yellow('\u25cc'), status, 'stopped')
        else this.#line(red('\u2718'), status, obituary(this.#options.state.log(status.name)))
      }
      this.#before.set(status.name, status)
    }
  }

  /** Something that is not as it could be. */
  note(text: string | undefined): void {
    if (text !== undefined) console.log(`  ${yellow('!')} ${text}`)
  }

  /** For people who have waited a while: what is not there yet. */
  missing(): string | undefined {
    if (performance.now() - this.#changedAt < patienceMs) return undefined
    const missing = [...this.#before.values()].filter(({ ready, stopped }) => !ready && !stopped)
    if (missing.length === 0) return undefined
    return `  waiting for ${missing.map(({ name }) => name).join(', ')}`
  }

  ready(): void {
    const { config, env, isDetached } = this.#options
    const { nodes } = config
    const up = nodes.filter((node) => !node.stopped).length
    console.log(
      [
        '',
        `${green('\u2714')} ${bold(`${up} ${up === 1 ? 'node' : 'nodes'} Ready`)} in ${this.#seconds()} ${dim(`at ${apiServerUrl(config)}`)}`,
        dim(`  ${networkText(config)}`),
        '',
        '  In a second terminal:',
        '',
        `    ${bold(env)}`,
        '    kubectl get nodes',
        ...(isDetached ? [] : ['', dim('  Ctrl-C stops the cluster; the next start resumes it.')]),
        '',
      ].join('\n'),
    )
  }

  stopping(): void {
    this.#isStopping = true
    console.log(`\n${yellow('\u25cc')} stopping: controllers, nodes, containers, then runtime and store \u2026`)
  }

  stopped(): void {
    console.log(`${green('\u2714')} stopped; everything is kept in ${this.#options.state.root}`)
  }

  #line(mark: string, status: ComponentStatus, text: string): void {
    this.#changedAt = performance.now()
    // A line that says what is missing may stand here; it is drawn again.
    const fresh = process.stdout.isTTY ? '\r\u001b[K' : ''
    console.log(`${fresh}  ${mark} ${status.name.padEnd(18)} ${dim(`${this.#seconds().padStart(7)}  ${text}`)}`)
  }

  #seconds(): string {
    return `${((performance.now() - this.#options.startedAt) / 1000).toFixed(2)} s`
  }
}

/** Where things are, in one line. */
export function networkText(config: Pick<ClusterConfig, 'network' | 'slot' | 'nodes'>): string {
  const { node, nodeRange, podRange, serviceRange } = addressesOf(config)
  if (config.network === 'machines') {
    return `network machines: nodes ${nodeRange}, pods ${podRange}, Services ${serviceRange}; node ports also on localhost`
  }
  const addresses = numbered(config.nodes)
    .map(({ number }) => node(number))
    .join(', ')
  return `nodes ${addresses}; node ports also on localhost`
}

function obituary(log: string): string {
  const said = lastWords(log)
  return `died${said === undefined ? '' : ` (${said})`}; starting it again, see ${log}`
}

function purposeOfNode(name: string): string {
  return name.startsWith('proxy-') ? 'Services of this node' : 'the kubelet: pods to containers'
}
