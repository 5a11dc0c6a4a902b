/**
 * Routes of the machine to the addresses of load balancers: over every node that may take a connection, as routers do
 * it with several next hops. They carry a protocol number of their own, by which a new process knows them.
 */

import { contains } from '@dinghy/shared/api/ipv4'
import { runCommand } from '../run-command.ts'

/** `ip route` shows it as "proto 108"; nobody else's in /etc/iproute2/rt_protos. */
export const routeProtocol = 108

export class Routes {
  /** The network between the nodes: routes to it are this cluster's. */
  readonly #cidr: string
  readonly #command: string[]
  /** Address → next hops. */
  #present: Map<string, string> | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(cidr: string, command = ['ip']) {
    this.#cidr = cidr
    this.#command = command
  }

  /** Resolves when the machine has exactly these. */
  set(routes: ReadonlyMap<string, string[]>): Promise<void> {
    const change = this.#last.then(() => this.#change(routes))
    // Whoever asked for this change hears of its failure.
    this.#last = change.catch(() => undefined)
    return change
  }

  async #change(routes: ReadonlyMap<string, string[]>): Promise<void> {
    const wanted = new Map([...routes].filter(([, hops]) => hops.length > 0).map(([to, hops]) => [to, hops.join(' ')]))
    const present = this.#present ?? (await this.#find())
    this.#present = undefined
    const commands = routeCommands(present, wanted)
    if (commands.length > 0) await runCommand([...this.#command, '-batch', '-'], commands.join('\n'))
    this.#present = wanted
  }

  async #find(): Promise<Map<string, string>> {
    const text = await runCommand([...this.#command, '-j', 'route', 'show', 'proto', String(routeProtocol)])
    const routes = JSON.parse(text === '' ? '[]' : text) as Route[]
    const own = routes.filter(({ dst }) => contains(this.#cidr, dst))
    return new Map(own.map(({ dst, gateway, nexthops = [] }) => [dst, hopsOf(gateway, nexthops)]))
  }
}

interface Route {
  dst: string
  gateway?: string
  nexthops?: { gateway: string }[]
}

function hopsOf(gateway: string | undefined, nexthops: { gateway: string }[]): string {
  return [...(gateway === undefined ? [] : [gateway]), ...nexthops.map((hop) => hop.gateway)].sort().join(' ')
}

/** What `ip -batch` is told. Pure. */
export function routeCommands(present: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  const set = [...wanted].filter(([to, hops]) => present.get(to) !== hops)
  const gone = [...present.keys()].filter((to) => !wanted.has(to))
  return [
    ...set.map(([to, hops]) => `route replace ${to}/32 proto ${routeProtocol} ${over(hops.split(' '))}`),
    ...gone.map((to) => `route delete ${to}/32 proto ${routeProtocol}`),
  ]
}

function over(hops: string[]): string {
  const [only] = hops
  return hops.length === 1 ? `via ${only}` : hops.map((hop) => `nexthop via ${hop}`).join(' ')
}
