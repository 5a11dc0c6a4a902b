/**
 * RouteTable: all routes of a cluster, made for being asked once a request.
 *
 * Callers may rely on: a table never changes; a new one takes its place. The routes that a host can come to are put
 * together once and remembered, so a request looks at no others; a host that nobody has routes for is not remembered,
 * and whoever asks for a million hosts fills no memory.
 *
 * The listeners of a Gateway are kept apart, as the Gateway API's "listener isolation": of those at one port a request
 * belongs to the one whose hostname is the most specific, and the routes of its siblings are not looked at.
 */

import type { ListenerHost, RequestFacts, Route } from './model.ts'
import { compareRoutes, hostRank, matchesHost, wants } from './route-match.ts'

/** Beyond this many hosts below wildcards the memory of them begins anew. */
const mostRemembered = 1_000

interface PortTable {
  /** By host as the routes have it: "a.example", "*.example", "". Each in the order in which they are asked. */
  byHost: Map<string, Route[]>
  listeners: ListenerHost[]
  remembered: Map<string, Route[]>
}

export class RouteTable {
  readonly routes: readonly Route[]
  readonly #ports = new Map<number, PortTable>()
  readonly #order = new Map<Route, number>()

  constructor(routes: readonly Route[], listeners: readonly ListenerHost[]) {
    this.routes = routes.toSorted(compareRoutes)
    for (const listener of listeners) this.#port(listener.port).listeners.push(listener)
    for (const [index, route] of this.routes.entries()) {
      this.#order.set(route, index)
      for (const port of route.ports) {
        const { byHost } = this.#port(port)
        const those = byHost.get(route.host) ?? []
        byHost.set(route.host, those)
        those.push(route)
      }
    }
  }

  find(request: RequestFacts): Route | undefined {
    const port = this.#ports.get(request.port)
    if (!port) return undefined
    const candidates = port.remembered.get(request.host) ?? this.#candidates(port, request.host)
    for (const route of candidates) if (wants(route, request)) return route
    return undefined
  }

  #port(number: number): PortTable {
    const table = this.#ports.get(number) ?? { byHost: new Map(), listeners: [], remembered: new Map() }
    this.#ports.set(number, table)
    return table
  }

  #candidates(port: PortTable, host: string): Route[] {
    const { byHost, listeners, remembered } = port
    const winners = new Map<string, ListenerHost>()
    for (const listener of listeners.filter(({ hostname }) => matchesHost(hostname, host, 'many'))) {
      const best = winners.get(listener.gateway)
      if (!best || hostRank(listener.hostname) > hostRank(best.hostname)) winners.set(listener.gateway, listener)
    }
    const found = hostsAbove(host)
      .flatMap((pattern) => byHost.get(pattern) ?? [])
      .filter(
        ({ host: pattern, wildcardLabels, listener }) =>
          matchesHost(pattern, host, wildcardLabels) &&
          (!listener || winners.get(listener.gateway)?.name === listener.name),
      )
      .toSorted((a, b) => (this.#order.get(a) ?? 0) - (this.#order.get(b) ?? 0))
    if (found.some((route) => route.host !== '')) {
      if (remembered.size >= mostRemembered) remembered.clear()
      remembered.set(host, found)
    }
    return found
  }
}

/** What routes may call it: "a.b.c" is "a.b.c", "*.b.c", "*.c" and "". */
function hostsAbove(host: string): string[] {
  const labels = host.split('.', 128)
  return [host, ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`), ''].filter(
    (pattern, index, all) => all.indexOf(pattern) === index,
  )
}
