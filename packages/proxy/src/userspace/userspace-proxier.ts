/**
 * The proxy in user space: a listener for every address and port of a Service, a pipe for every connection. Where a
 * node's network is its own, the addresses of Services are first given to it (service-addresses.ts); in loopback mode
 * they are there already.
 */

import type { Proxier } from '../rules/proxier.ts'
import type { ServiceInfo } from '../rules/service-info.ts'
import { Listeners, type ListenersOptions, type ListenerView } from './listeners.ts'
import { rulesOf, type Place } from './rules.ts'

/** What is established when the process is told to stop gets this long to finish. */
const drainMs = 1_000

/** Gives addresses to this machine, and takes them away again. */
export interface Addresses {
  /** Resolves when the machine has exactly these. */
  set(addresses: ReadonlySet<string>): Promise<void>
}

export interface UserspaceDeps extends ListenersOptions {
  place: Place
  addresses?: Addresses
}

export class UserspaceProxier implements Proxier {
  readonly #deps: UserspaceDeps
  readonly #listeners: Listeners
  /** Service → the addresses that it is served at. */
  readonly #wanted = new Map<string, string[]>()

  constructor(deps: UserspaceDeps) {
    this.#deps = deps
    this.#listeners = new Listeners(deps)
  }

  async start(infos: ServiceInfo[]): Promise<void> {
    for (const info of infos) this.#wanted.set(info.service, serviceAddressesOf(info))
    await this.#setAddresses()
  }

  async apply(service: string, info: ServiceInfo | undefined): Promise<void> {
    const before = this.#wanted.get(service) ?? []
    const after = info ? serviceAddressesOf(info) : []
    if (info) this.#wanted.set(service, after)
    else this.#wanted.delete(service)
    // A new address must be there before it can be listened on, an old one may go only when nobody listens any more.
    if (after.some((address) => !before.includes(address))) await this.#setAddresses(before)
    await this.#listeners.apply(service, info ? rulesOf(info, this.#deps.place) : [])
    if (before.some((address) => !after.includes(address))) await this.#setAddresses()
  }

  view(): ListenerView[] {
    return this.#listeners.view()
  }

  countByState(): Record<string, number> {
    const counts: Record<string, number> = { serving: 0, waiting: 0, refused: 0 }
    for (const { state } of this.#listeners.view()) if (state in counts) counts[state] = (counts[state] ?? 0) + 1
    return counts
  }

  async close(): Promise<void> {
    await this.#listeners.close(drainMs)
  }

  async #setAddresses(alsoKept: string[] = []): Promise<void> {
    await this.#deps.addresses?.set(new Set([...alsoKept, ...[...this.#wanted.values()].flat()]))
  }
}

/** Those that belong to the Service and to no machine. Without a listener the kernel itself refuses connections. */
function serviceAddressesOf({ ports }: ServiceInfo): string[] {
  return ports.flatMap(({ clusterIPs, externalIPs, loadBalancerIPs }) => [
    ...clusterIPs,
    ...externalIPs,
    ...loadBalancerIPs,
  ])
}
