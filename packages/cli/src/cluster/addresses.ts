/**
 * Which addresses a cluster has: pure, from its network mode and its slot.
 *
 * In *machines* mode every node is a network namespace on a switch of the cluster's own, and slot 0 has the ranges that
 * documentation expects. In *loopback* mode nodes, pods and Services share the machine's loopback interface, and slot s
 * has 127.(64+s).0.0/16 and 127.(96+s).0.0/16 of it.
 */

export type NetworkMode = 'machines' | 'loopback'

/** How many clusters may run side by side on one machine. */
export const slots = 32

export interface Addresses {
  /** The machine itself, as the cluster's nodes see it: where they find the API server. */
  machine: string
  /** Where the nodes are; in loopback mode their pods, too. */
  nodeRange: string
  /** Of the node with this number; the first is 1. */
  node: (number: number) => string
  podCidr: (number: number) => string
  /** All pods of all nodes. */
  podRange: string
  serviceRange: string
  /** Of the Service "kubernetes": the first of the range, as upstream has it. */
  kubernetesService: string
  /** Of the Service "kube-dns": the tenth of the range, as kubeadm has it. */
  dnsService: string
  /** Where the DNS server itself listens, behind that Service: host:port. */
  dnsListen: string
  /** What Services of type LoadBalancer get, as FIRST-LAST; only machines have such addresses to give. */
  loadBalancerPool?: string
  /** Where Ingresses and Gateways are served; the one before that pool. */
  ingress: string
  /** So many nodes have room here. */
  mostNodes: number
}

export function addressesOf({ network, slot }: { network?: NetworkMode; slot: number }): Addresses {
  return network === 'machines' ? ofMachines(slot) : ofLoopback(slot)
}

function ofMachines(slot: number): Addresses {
  const onSwitch = (last: number) => `172.30.${slot}.${last}`
  const pods = `10.${slot === 0 ? 244 : 132 + slot}`
  const services = `10.${slot === 0 ? 96 : 100 + slot}.0`
  return {
    machine: onSwitch(1),
    nodeRange: `${onSwitch(0)}/24`,
    node: (number) => onSwitch(10 + number),
    podCidr: (number) => `${pods}.${number}.0/24`,
    podRange: `${pods}.0.0/16`,
    serviceRange: `${services}.0/16`,
    kubernetesService: `${services}.1`,
    dnsService: `${services}.10`,
    dnsListen: `${onSwitch(1)}:53`,
    loadBalancerPool: `${onSwitch(201)}-${onSwitch(250)}`,
    ingress: onSwitch(200),
    mostNodes: 189,
  }
}

function ofLoopback(slot: number): Addresses {
  const nodes = `127.${64 + slot}`
  const services = `127.${96 + slot}.0`
  return {
    machine: `${nodes}.0.1`,
    nodeRange: `${nodes}.0.0/16`,
    node: (number) => `${nodes}.${number}.1`,
    podCidr: (number) => `${nodes}.${number}.0/24`,
    podRange: `${nodes}.0.0/16`,
    serviceRange: `${services}.0/16`,
    kubernetesService: `${services}.1`,
    dnsService: `${services}.10`,
    dnsListen: `${nodes}.0.53:5353`,
    ingress: `${nodes}.0.80`,
    mostNodes: 250,
  }
}

/** What a cluster in machines mode needs for itself. */
export function rangesOf(slot: number): string[] {
  const { nodeRange, podRange, serviceRange } = ofMachines(slot)
  return [nodeRange, podRange, serviceRange]
}

/** The machine's end of the cable to the switch. */
export function machineLink(slot: number): string {
  return `dinghy${slot}`
}
