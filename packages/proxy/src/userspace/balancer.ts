/**
 * Balancer: which backend gets the next connection.
 *
 * Backends take turns, so that over time each gets an equal share; upstream's iptables mode rolls dice to the same end,
 * but turns are what a person who watches wants to see. With sessionAffinity ClientIP a client keeps its backend until
 * it has stayed away for the timeout. The whole order is returned, so that the caller can go on to the next backend
 * when one refuses; it is empty for a client outside of the rule's source ranges.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { contains } from '@dinghy/shared/api/ipv4'
import type { Backend } from '../rules/endpoints.ts'
import type { Rule } from './rules.ts'

interface Affinity {
  backend: string
  lastUsedMs: number
}

export class Balancer {
  readonly #clock: Clock
  readonly #affinities = new Map<string, Affinity>()
  #turn = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** All backends that may serve this client, in the order in which they should be tried. */
  order(rule: Rule, client: { address: string; node: string | undefined }): Backend[] {
    if (rule.sourceRanges?.every((range) => !contains(range, client.address))) return []
    const allowed = rule.keepsToClientNode ? rule.backends.filter(({ node }) => node === client.node) : rule.backends
    if (allowed.length === 0) return []
    const start = this.#turn % allowed.length
    this.#turn += 1
    const inTurn = [...allowed.slice(start), ...allowed.slice(0, start)]
    const kept = this.#keptBackend(rule, client.address)
    return kept === undefined
      ? inTurn
      : inTurn.toSorted((a, b) => Number(keyOf(b) === kept) - Number(keyOf(a) === kept))
  }

  /** The client has been connected to this backend, and under affinity will be again. */
  connected(rule: Rule, client: { address: string }, backend: Backend): void {
    if (rule.affinityMs === undefined) return
    this.#forgetOld(rule.affinityMs)
    // Inserted anew each time, so that the map stays in the order of last use.
    this.#affinities.delete(client.address)
    this.#affinities.set(client.address, { backend: keyOf(backend), lastUsedMs: this.#clock.now() })
  }

  #keptBackend({ affinityMs }: Rule, client: string): string | undefined {
    const affinity = this.#affinities.get(client)
    if (!affinity || affinityMs === undefined) return undefined
    return this.#clock.now() - affinity.lastUsedMs < affinityMs ? affinity.backend : undefined
  }

  #forgetOld(affinityMs: number): void {
    for (const [client, { lastUsedMs }] of this.#affinities) {
      if (this.#clock.now() - lastUsedMs < affinityMs) return
      this.#affinities.delete(client)
    }
  }
}

export function keyOf({ address, port }: Backend): string {
  return `${address}:${port}`
}
