/**
 * The supervisor: the one process that `dinghy up` leaves running. It keeps every component alive and answers the
 * command line over a unix socket in the state directory.
 *
 * It decides nothing about the cluster; that is the components' work. Stopping has an order, and only that: first who
 * would heal (controllers, agents, proxies), then the containers, then the runtime and the store.
 */

import { rmSync } from 'node:fs'
import type { Server } from 'node:net'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { Component, type ComponentStatus } from './component.ts'
import { componentsOf } from './components.ts'
import { killContainers, stopContainers } from './containers.ts'

/** How long a stop waits for a runtime that is just being started again: only the runtime can stop containers. */
const runtimePatienceMs = 10_000

export interface SupervisorOptions {
  config: ClusterConfig
  state: StateDir
  clock: Clock
  /** Holds the address slot; closed when everything has stopped. */
  hold: Server
  onChange?: () => void
}

export class Supervisor {
  readonly config: ClusterConfig
  readonly #options: SupervisorOptions
  readonly #components: Component[]

  constructor(options: SupervisorOptions) {
    const { config, state, clock } = options
    this.config = config
    this.#options = options
    this.#components = componentsOf(config, state).map(
      (spec) =>
        new Component(spec, { log: state.log(spec.name), runFile: state.runFile(spec.name) }, clock, () =>
          options.onChange?.(),
        ),
    )
  }

  start(): void {
    const stopped = new Set(this.config.nodes.filter((node) => node.stopped).map((node) => node.name))
    for (const component of this.#components) {
      if (!component.spec.node || !stopped.has(component.spec.node)) component.start()
    }
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
    return this.statuses().every((status) => status.ready || status.stopped)
  }

  /** Power off: agent and proxy are killed, and so is every container of the node. */
  async stopNode(name: string): Promise<void> {
    this.#nodeConfig(name).stopped = true
    this.#options.state.writeConfig(this.config)
    await Promise.all(this.#ofNode(name).map((component) => component.stop('SIGKILL')))
    await this.#runtimeBack()
    await killContainers(this.#options.state.dockerSocket, name)
  }

  startNode(name: string): void {
    delete this.#nodeConfig(name).stopped
    this.#options.state.writeConfig(this.config)
    for (const component of this.#ofNode(name)) component.start()
  }

  async stop(): Promise<void> {
    const { state, hold } = this.#options
    const keepers = new Set(['runtime', 'api-server'])
    const healers = this.#components.filter((component) => !keepers.has(component.spec.name))
    await Promise.all(healers.map((component) => component.stop()))
    await this.#runtimeBack()
    await stopContainers(state.dockerSocket)
    await Promise.all(this.#components.map((component) => component.stop()))
    for (const component of this.#components) rmSync(state.runFile(component.spec.name), { force: true })
    hold.close()
  }

  async #runtimeBack(): Promise<void> {
    await this.#components.find(({ spec }) => spec.name === 'runtime')?.readyWithin(runtimePatienceMs)
  }

  #ofNode(name: string): Component[] {
    return this.#components.filter((component) => component.spec.node === name)
  }

  #nodeConfig(name: string) {
    const node = this.config.nodes.find((node) => node.name === name)
    if (!node)
      throw new UnknownNode(
        name,
        this.config.nodes.map((node) => node.name),
      )
    return node
  }
}

export class UnknownNode extends Error {
  constructor(name: string, known: string[]) {
    super(`no node "${name}" in this cluster; it has ${known.join(', ')}`)
  }
}
