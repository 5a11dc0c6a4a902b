/**
 * Flow control: a gate on how many requests are being worked on at once, so that a flood is told to come back later
 * instead of slowing everybody down. Upstream's max-inflight filter; its priority levels and fair queues are not here.
 *
 * Requests that last (watches, logs, exec) do not count: they wait for events, not for us.
 */

import { tooManyRequests } from '@dinghy/shared/api/errors'
import type { RequestInfo } from './request-info.ts'

export interface Limits {
  readOnly: number
  mutating: number
}

const lastingSubresources = new Set(['log', 'exec', 'attach', 'portforward', 'proxy'])
const readOnly = new Set(['get', 'list', 'watch', 'head', 'options'])

export class FlowControl {
  readonly #limits: Limits
  readonly #inFlight = { readOnly: 0, mutating: 0 }

  constructor(limits: Limits = { readOnly: 800, mutating: 800 }) {
    this.#limits = limits
  }

  /** Throws TooManyRequests when full. Call the returned function when the request is over. */
  enter(info: RequestInfo): () => void {
    if (isLasting(info)) return () => {}
    const kind = readOnly.has(info.verb) ? 'readOnly' : 'mutating'
    if (this.#inFlight[kind] >= this.#limits[kind]) {
      throw tooManyRequests('Too many requests, please try again later.', 1)
    }
    this.#inFlight[kind]++
    return () => this.#inFlight[kind]--
  }

  get inFlight(): Readonly<Limits> {
    return this.#inFlight
  }
}

export function isLasting({ verb, subresource }: RequestInfo): boolean {
  return verb === 'watch' || (subresource !== undefined && lastingSubresources.has(subresource))
}
