/**
 * Proxier: what carries connections to Services, in user space or in the kernel. start-proxy.ts tells it what is
 * wanted; it is upstream's `Proxier` without the deciding, which service-info.ts has done.
 */

import type { ServiceInfo } from './service-info.ts'

export interface Proxier {
  /**
   * Called once, before the first apply, with all that is wanted: what an earlier process left behind serves until then
   * and is brought up to date in one step. From then on it looks after what it made until the signal aborts.
   */
  start(infos: ServiceInfo[], signal: AbortSignal): Promise<void>
  /** Resolves when connections to this Service go where they should; undefined: it is forwarded no more. */
  apply(service: string, info: ServiceInfo | undefined): Promise<void>
  /** What stands at /debug/rules. */
  view(): unknown[]
  /** How many addresses and ports are served, and how many are not, by the reason. */
  countByState(): Record<string, number>
  close(): Promise<void>
}
