/**
 * The supervisor: the one process that `dinghy up` leaves running. It keeps every component alive and answers the
 * command line over a unix socket in the state directory.
 *
 * It decides nothing about the cluster; that is the components' work. Stopping has an order, and only that: first who
 * would heal (controllers, agents, proxies), then the containers, then the runtime and the store. A stop always ends,
 * and says what it had to kill.
 */

import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ClusterConfig, NodeConfig, StateDir } from '../cluster/state-dir.ts'
import type { Machines } from '../machines/machines.ts'
import { addressesOf } from '../cluster/addresses.ts'
import { numbered, withNewNode, withoutNode } from '../cluster/nodes.ts'
import { ensureIdentities } from '../cluster/pki.ts'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import { Component, type ComponentDeps, type ComponentStatus, type Ending } from './component.ts'
import { apiServerUrl, type ComponentSpec, componentsOf } from './components.ts'
import { killContainers, stopContainers, type Stopping } from './containers.ts'
import { NoAnswer } from './http.ts'
import { watchRunFiles } from './run-files.ts'

/** How long a stop waits for a runtime that is just being started again: only the runtime can stop containers. */
const runtimePatienceMs = 10_000

/** How long the others wait for the API server before they are started all the same. */
const apiServerPatienceMs = 2_000

/** On a busy machine one that works may take seconds to answer, and must not be killed for that. */
const runtimeAnswerMs = 5_000

/** What it takes of the nodes' networks. */
export type NodeNetworks = Pick<Machines, 'make' | 'plugCables' | 'delay' | 'hasten' | 'takeAway' | 'forget' | 'remove'>

export interface SupervisorDeps extends Pick<ComponentDeps, 'startProcess' | 'askHealth' | 'hasBecomeReady'> {
  config: ClusterConfig
  state: StateDir
  clock: Clock
  /** Holds the address slot; closed when everything has stopped. */
  hold: { close(): unknown }
  onChange?: () => void
  /** The networks of the nodes, where they are machines. */
  machines?: NodeNetworks | undefined
  /** How long the runtime may take for an answer. */
  answerWithinMs?: number
}

export interface StopOptions {
  /** What a pod may take to end, if its own grace period is not shorter. */
  graceMs: number
  /** Nothing is kept, so nothing has to end well: components and containers are killed. */
  atOnce?: boolean
}

export interface StopReport {
  /** What did not stop when it was asked, and was killed. */
  killed: string[]
  /** What not even SIGKILL ended. */
  stays: string[]
  /** The runtime did not answer, not even a new one: containers may still run. */
  containersLeft?: boolean
}

export class Supervisor {
  readonly config: ClusterConfig
  readonly #deps: SupervisorDeps
  #components: Component[]
  readonly #runFiles: { close(): void }
  #waitingFor: string[] = []
  /** Before, all components but the keepers look like those of a node that is switched off. */
  #isStarted = false
  /** What starts now would not be stopped any more. */
  #isStopping = false
  /** Those that nobody waits for have been started, or are not to be any more. */
  #isComplete = false
  /** Those of them that have not been ready yet: until then a cluster is ready without them. */
  readonly #coming = new Set<string>()

  constructor(deps: SupervisorDeps) {
    this.config = deps.config
    this.#deps = deps
    this.#components = componentsOf(deps.config, deps.state).map((spec) => this.#componentOf(spec))
    this.#runFiles = watchRunFiles(dirname(deps.state.runFile('any')), (name) => {
      this.#named(name)?.published()
    })
  }

  #componentOf(spec: ComponentSpec): Component {
    const { state, clock, startProcess, askHealth, hasBecomeReady } = this.#deps
    const onChange = () => {
      if (component.status().ready) this.#coming.delete(spec.name)
      this.#deps.onChange?.()
      this.#startLate()
    }
    const paths = { log: state.log(spec.name), runFile: state.runFile(spec.name) }
    if (spec.isLate) this.#coming.add(spec.name)
    const component = new Component(spec, { clock, paths, onChange, startProcess, askHealth, hasBecomeReady })
    return component
  }

  /** One of those that all others wait for, ahead of them. Resolves when its process is there. */
  async startKeeper(name: 'runtime' | 'api-server'): Promise<void> {
    if (!this.#isStopping) this.#named(name)?.start()
    // A component starts its process in a turn of its own.
    await setImmediate()
  }

  /**
   * Everything. The others would spend the processor time that the API server needs for its start on looking whether it
   * has started, so they come after it, or after a while.
   */
  async start(): Promise<void> {
    await Promise.all([this.startKeeper('api-server'), this.startKeeper('runtime')])
    await this.#named('api-server')?.readyWithin(apiServerPatienceMs)
    if (this.#isStopping) return
    this.#isStarted = true
    const stopped = new Set(this.config.nodes.filter((node) => node.stopped).map((node) => node.name))
    const early = this.#components.filter(({ spec }) => !spec.isLate)
    for (const component of early.filter(({ spec }) => !spec.node || !stopped.has(spec.node))) component.start()
  }

  #startLate(): void {
    if (this.#isComplete || !this.ready()) return
    this.#isComplete = true
    for (const component of this.#components) if (component.spec.isLate) component.start()
  }

  statuses(): ComponentStatus[] {
    return this.#components.map((component) => component.status())
  }

  /** Asks every component anew whether it is ready. */
  async refresh(): Promise<void> {
    await Promise.all(this.#components.map((component) => component.refresh()))
  }

  /** Everything that is wanted up is up. */
  ready(): boolean {
    const counts = ({ name }: ComponentStatus): boolean => !this.#coming.has(name)
    return this.#isStarted && this.statuses().every((status) => status.ready || status.stopped || !counts(status))
  }

  /** While it stops: the names of what has not ended yet. */
  waitingFor(): string[] {
    return this.#waitingFor
  }

  /** Power off: agent and proxy are killed, and so is every container of the node. */
  async stopNode(name: string): Promise<void> {
    this.#nodeConfig(name).stopped = true
    this.#deps.state.writeConfig(this.config)
    await Promise.all(this.#ofNode(name).map((component) => component.stop('SIGKILL')))
    await this.#askRuntime(() => killContainers(this.#deps.state.dockerSocket, name))
    await this.#deps.machines?.takeAway(name)
  }

  async startNode(name: string): Promise<void> {
    delete this.#nodeConfig(name).stopped
    this.#deps.state.writeConfig(this.config)
    await this.#deps.machines?.make()
    for (const component of this.#ofNode(name)) component.start()
  }

  /** Pulls the cable of a node, or plugs it in again. The node goes on without knowing why nobody answers. */
  async cutNode(name: string, cut: boolean): Promise<void> {
    const node = this.#nodeConfig(name)
    const machines = this.#requireMachines()
    if (cut) node.cut = true
    else delete node.cut
    this.#deps.state.writeConfig(this.config)
    await machines.plugCables()
  }

  /** Packets to a node are late by this, or not any more. */
  async delayNode(name: string, delay: string | undefined): Promise<void> {
    const node = this.#nodeConfig(name)
    const machines = this.#requireMachines()
    if (delay === undefined) {
      if (node.delay !== undefined) await machines.hasten(name)
      delete node.delay
    } else {
      const before = node.delay
      node.delay = delay
      // What the kernel cannot do must not stand in the way of the next start.
      await machines.delay().catch((error: unknown) => {
        delete node.delay
        if (before !== undefined) node.delay = before
        throw error
      })
    }
    this.#deps.state.writeConfig(this.config)
  }

  /** A further node, which registers itself. Returns its name. */
  async addNode(): Promise<string> {
    const { state, clock, machines } = this.#deps
    const { mostNodes } = addressesOf(this.config)
    if (this.config.nodes.length >= mostNodes)
      throw new Error(`this cluster has ${mostNodes} nodes, and no room for more`)
    this.config.nodes = withNewNode(this.config.nodes)
    state.writeConfig(this.config)
    const name = this.config.nodes.at(-1)?.name ?? ''
    ensureIdentities(this.config, state, apiServerUrl(this.config), clock.now())
    await machines?.make()
    const added = componentsOf(this.config, state).filter(({ node }) => node === name)
    const components = added.map((spec) => this.#componentOf(spec))
    this.#components = [...this.#components, ...components]
    for (const component of components) component.start()
    return name
  }

  /** Power off, for good: nothing is left of the node but its Node object, and what the cluster knows of its pods. */
  async removeNode(name: string): Promise<void> {
    const { state, machines } = this.#deps
    this.#nodeConfig(name)
    if (this.config.nodes.length === 1)
      throw new Error('a cluster keeps one node; `dinghy down --wipe` removes all of it')
    await this.stopNode(name)
    const number = numbered(this.config.nodes).find((node) => node.name === name)?.number ?? 0
    this.#components = this.#components.filter(({ spec }) => spec.node !== name)
    this.config.nodes = withoutNode(this.config.nodes, name)
    state.writeConfig(this.config)
    await machines?.forget(addressesOf(this.config).podCidr(number))
    await removeTree(state.nodeRoot(name))
    rmSync(state.identity(`kubelet-${name}`), { force: true })
  }

  async stop({ graceMs, atOnce = false }: StopOptions): Promise<StopReport> {
    const { state, hold } = this.#deps
    this.#isStopping = true
    this.#isComplete = true
    const endings = new Map<string, Ending>()
    await this.#stopAll(
      this.#components.filter((component) => !isKeeper(component)),
      atOnce,
      endings,
    )
    const { answerWithinMs } = this.#deps
    const onWaiting = (names: string[]) => this.#wait(names)
    const stopping = { graceMs: atOnce ? 0 : graceMs, answerWithinMs, onWaiting }
    const containersLeft = await this.#stopContainers(stopping, endings)
    // The runtime always ends well: it has bridges and mounts to take away.
    await this.#stopAll(
      this.#components.filter(({ spec }) => spec.name === 'runtime'),
      false,
      endings,
    )
    await this.#stopAll(this.#components.filter(isKeeper), atOnce, endings)
    for (const component of this.#components) rmSync(state.runFile(component.spec.name), { force: true })
    this.#runFiles.close()
    // Containers that still run may need their network when the next runtime finds them.
    if (!containersLeft) await this.#deps.machines?.remove()
    hold.close()
    const those = (ending: Ending) => [...endings].filter(([, is]) => is === ending).map(([name]) => name)
    return { killed: those('killed'), stays: those('stays'), ...(containersLeft ? { containersLeft } : {}) }
  }

  /** A runtime that does not answer must not keep the others from being stopped. True: it did not. */
  async #stopContainers(stopping: Stopping, endings: Map<string, Ending>): Promise<boolean> {
    const { dockerSocket } = this.#deps.state
    try {
      if (await this.#askRuntime(() => stopContainers(dockerSocket, stopping))) endings.set('runtime', 'killed')
      return false
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      endings.set('runtime', 'killed')
      return true
    }
  }

  async #stopAll(components: Component[], atOnce: boolean, endings: Map<string, Ending>): Promise<void> {
    const left = new Set(components.map(({ spec }) => spec.name))
    this.#wait([...left])
    await Promise.all(
      components.map(async (component) => {
        const { name } = component.spec
        const ending = await component.stop(atOnce ? 'SIGKILL' : 'SIGTERM')
        // Killed on purpose is no news.
        if (ending !== 'stopped') endings.set(name, ending)
        left.delete(name)
        this.#wait([...left])
      }),
    )
  }

  #wait(names: string[]): void {
    this.#waitingFor = names
    this.#deps.onChange?.()
  }

  /** Runs what needs the runtime. One that hangs is replaced, once: its containers outlive it. True: it was. */
  async #askRuntime(act: () => Promise<unknown>): Promise<boolean> {
    const runtime = this.#named('runtime')
    await runtime?.refresh(runtimeAnswerMs)
    const isSilent = runtime?.status().silent ?? false
    if (isSilent) await runtime?.replace()
    await runtime?.readyWithin(runtimePatienceMs)
    try {
      await act()
      return isSilent
    } catch (error) {
      if (isSilent || !(error instanceof NoAnswer)) throw error
      await runtime?.replace()
      await runtime?.readyWithin(runtimePatienceMs)
      await act()
      return true
    }
  }

  #named(name: string): Component | undefined {
    return this.#components.find(({ spec }) => spec.name === name)
  }

  #requireMachines(): NodeNetworks {
    const { machines } = this.#deps
    if (!machines) throw new NoCables()
    return machines
  }

  #ofNode(name: string): Component[] {
    return this.#components.filter((component) => component.spec.node === name)
  }

  #nodeConfig(name: string): NodeConfig {
    const { nodes } = this.config
    const node = nodes.find((node) => node.name === name)
    if (!node)
      throw new UnknownNode(
        name,
        nodes.map((node) => node.name),
      )
    return node
  }
}

/** What is true of the cluster is theirs. */
function isKeeper({ spec }: Component): boolean {
  return spec.name === 'runtime' || spec.name === 'api-server'
}

export class NoCables extends Error {
  constructor() {
    super('nodes have cables in a cluster whose network is machines; here they share this machine (`dinghy status`)')
  }
}

export class UnknownNode extends Error {
  constructor(name: string, known: string[]) {
    super(`no node "${name}" in this cluster; it has ${known.join(', ')}`)
  }
}
