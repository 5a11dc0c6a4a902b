/**
 * Pods on a network of the container engine, one for each node. It has the address, and opens hostPorts. The nodes then
 * have no network of their own: hostNetwork is the machine's.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { HostConfig } from '@dinghy/shared/docker/types'
import type { DockerClient } from '../docker/docker-client.ts'
import { label } from '../observed/labels.ts'
import { hostPortsOf } from './host-ports.ts'
import type { PodNetwork, SandboxNetwork } from './pod-network.ts'

interface Facts {
  node: string
  /** "127.64.1.0/24" */
  subnet: string
  /** The node's own address. */
  gateway: string
}

export class EngineNetwork implements PodNetwork {
  readonly #docker: DockerClient
  readonly #facts: Facts

  constructor(docker: DockerClient, facts: Facts) {
    this.#docker = docker
    this.#facts = facts
  }

  /** An engine that has a "loopback" driver says so among its plugins; any other gets a bridge. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { node, subnet, gateway } = this.#facts
    if (await this.#docker.hasNetwork(node, signal)) return
    const { Plugins } = await this.#docker.info(signal)
    const driver = Plugins?.Network?.includes('loopback') ? 'loopback' : 'bridge'
    await this.#docker.createNetwork({ name: node, driver, subnet, gateway, labels: { [label.node]: node } }, signal)
  }

  sandboxOf(pod: Pod): SandboxNetwork {
    if (pod.spec.hostNetwork) return { mode: 'host' }
    return { mode: this.#facts.node, ports: this.#portsOf(pod) }
  }

  async plug(): Promise<void> {}
  async unplug(): Promise<void> {}

  /**
   * A hostPort is a port of the *node*. All nodes share this machine, so it is opened on the node's address and not, as
   * a kubelet that has the machine to itself would do, on all of them.
   */
  #portsOf(pod: Pod): HostConfig['PortBindings'] {
    const bindings: NonNullable<HostConfig['PortBindings']> = {}
    for (const { containerPort, hostPort, hostIP = this.#facts.gateway, protocol } of hostPortsOf(pod)) {
      const key = `${containerPort}/${protocol.toLowerCase()}`
      bindings[key] = [...(bindings[key] ?? []), { HostIp: hostIP, HostPort: String(hostPort) }]
    }
    return Object.keys(bindings).length > 0 ? bindings : undefined
  }
}
