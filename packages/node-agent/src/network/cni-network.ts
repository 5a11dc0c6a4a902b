/**
 * Pods on a node that is a machine: their sandboxes are created without a network, and plugged into the node's. The
 * node agent lives in the node's network namespace itself, so it reads and changes that one.
 *
 * It remembers nothing that it could not find again: addresses are in the node's routes (plug.ts), hostPorts in labels
 * of the sandboxes.
 */

import { readFileSync } from 'node:fs'
import type { Pod } from '@dinghy/shared/api/types'
import { hasTool, runScript, type RunScript } from '@dinghy/shared/process/shell'
import type { DockerClient } from '../docker/docker-client.ts'
import { label } from '../observed/labels.ts'
import { type HostPort, hostPortsOf, hostPortsScript, type Mapping } from './host-ports.ts'
import { nextAddress, plugScript, pluggedIn, type PodRange, podRangeOf, vethOf } from './plug.ts'
import type { PodNetwork, SandboxNetwork } from './pod-network.ts'

export interface CniNetworkDeps {
  docker: Pick<DockerClient, 'inspectContainer' | 'listContainers'>
  node: string
  /** "10.244.1.0/24" */
  podCidr: string
  /** The file that holds the node's network namespace: hostNetwork pods live there. */
  namespaceFile: string
  run?: RunScript
  /** The node's /proc/net/route. */
  readRoutes?: () => string
  hasNft?: () => boolean
}

export class CniNetwork implements PodNetwork {
  readonly #deps: CniNetworkDeps
  readonly #range: PodRange
  readonly #run: RunScript
  /** Given out, and not among the routes yet. */
  readonly #reserved = new Set<string>()
  #latest: string | undefined
  /** By sandbox. */
  readonly #hostPorts = new Map<string, Mapping>()
  /** One after the other: each replaces all rules. */
  #applying: Promise<void> = Promise.resolve()

  constructor(deps: CniNetworkDeps) {
    this.#deps = deps
    this.#range = podRangeOf(deps.podCidr)
    this.#run = deps.run ?? runScript
  }

  /** The rules themselves have outlived the agent before this one. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { docker, node } = this.#deps
    const labels = [`${label.node}=${node}`, label.hostPorts]
    const addressOf = this.addresses()
    for (const { Id, Labels } of await docker.listContainers(labels, signal)) {
      const address = addressOf(Id)
      if (address === undefined) continue
      this.#hostPorts.set(Id, { address, ports: JSON.parse(Labels[label.hostPorts] ?? '[]') as HostPort[] })
    }
  }

  sandboxOf(pod: Pod): SandboxNetwork {
    if (pod.spec.hostNetwork) return { mode: `ns:${this.#deps.namespaceFile}` }
    const ports = hostPortsOf(pod)
    return { mode: 'none', ...(ports.length > 0 ? { labels: { [label.hostPorts]: JSON.stringify(ports) } } : {}) }
  }

  async plug(pod: Pod, sandboxId: string, signal: AbortSignal): Promise<void> {
    if (pod.spec.hostNetwork) return
    const ports = hostPortsOf(pod)
    const hasNft = this.#deps.hasNft ?? (() => hasTool('nft'))
    if (ports.length > 0 && !hasNft()) throw new Error('a hostPort needs the program nft, which is not installed')
    const { State } = await this.#deps.docker.inspectContainer(sandboxId, signal)
    const address = this.#reserve()
    try {
      const cable = { veth: vethOf(sandboxId), address, gateway: this.#range.gateway }
      await this.#act(plugScript(cable, State.Pid ?? 0, `/proc/${process.pid}/ns/net`))
    } finally {
      this.#reserved.delete(address)
    }
    if (ports.length === 0) return
    this.#hostPorts.set(sandboxId, { address, ports })
    await this.#applyHostPorts()
  }

  /** Its cable goes with its namespace. */
  async unplug(sandboxId: string): Promise<void> {
    if (this.#hostPorts.delete(sandboxId)) await this.#applyHostPorts()
  }

  addresses(): (sandboxId: string) => string | undefined {
    const plugged = this.#plugged()
    return (sandboxId) => plugged.get(vethOf(sandboxId))
  }

  #plugged(): Map<string, string> {
    const { readRoutes = () => readFileSync('/proc/net/route', 'utf8') } = this.#deps
    return pluggedIn(readRoutes())
  }

  #reserve(): string {
    const taken = new Set([...this.#plugged().values(), ...this.#reserved])
    const address = nextAddress(this.#range, taken, this.#latest)
    if (address === undefined) throw new Error(`no IP addresses available in range set: ${this.#deps.podCidr}`)
    this.#reserved.add(address)
    this.#latest = address
    return address
  }

  #applyHostPorts(): Promise<void> {
    const apply = () => this.#act(hostPortsScript([...this.#hostPorts.values()]))
    this.#applying = this.#applying.then(apply, apply)
    return this.#applying
  }

  async #act(script: string): Promise<void> {
    const { code, stderr } = await this.#run(script)
    if (code !== 0) throw new Error(`failed to set up the pod's network: ${stderr.trim() || `exit code ${code}`}`)
  }
}
