/**
 * The proxy in the kernel: keeps the table of Services as it should be. Connections never pass through this process, so
 * that they outlive it, and a new one finds the table at work.
 *
 * Changes that come while a write is under way share the next one. The table is looked at from time to time, because
 * anybody with the right may flush it.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { Proxier } from '../rules/proxier.ts'
import type { ServiceInfo, ServicePortInfo } from '../rules/service-info.ts'
import { KernelTable } from './kernel-table.ts'
import { serviceRuleset, type ServiceTableOptions } from './service-ruleset.ts'

export const serviceTable = 'dinghy-proxy'

const lookEveryMs = 10_000

export interface NftablesDeps extends ServiceTableOptions {
  clock: Clock
  log: Logger
  table?: Pick<KernelTable, 'write' | 'isWhole'>
}

export class NftablesProxier implements Proxier {
  readonly #deps: NftablesDeps
  readonly #table: Pick<KernelTable, 'write' | 'isWhole'>
  readonly #infos = new Map<string, ServiceInfo>()
  /** The write under way, and the one that has not begun. */
  #current: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(deps: NftablesDeps) {
    this.#deps = deps
    this.#table = deps.table ?? new KernelTable(serviceTable)
  }

  async start(infos: ServiceInfo[], signal: AbortSignal): Promise<void> {
    for (const info of infos) this.#infos.set(info.service, info)
    await this.#write()
    void this.#watch(signal)
  }

  async apply(service: string, info: ServiceInfo | undefined): Promise<void> {
    if (info) this.#infos.set(service, info)
    else this.#infos.delete(service)
    await this.#write()
  }

  view(): ServicePortInfo[] {
    return [...this.#infos.values()].flatMap(({ ports }) => ports)
  }

  countByState(): Record<string, number> {
    return { serving: this.view().filter(({ backends }) => backends.length > 0).length }
  }

  // The table stays: connections go on, and the next process takes it over.
  async close(): Promise<void> {
    await this.#current
  }

  #write(): Promise<void> {
    if (this.#next) return this.#next
    const write = this.#current.then(() => {
      this.#next = undefined
      return this.#table.write(serviceRuleset(this.#infos.values(), this.#deps))
    })
    this.#next = write
    // Whoever waits for this write hears of its failure.
    this.#current = write.catch(() => undefined)
    return write
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    while (!signal.aborted) {
      // Rejects when the signal aborts.
      await clock.sleep(lookEveryMs, signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        await this.#current
        if (await this.#table.isWhole()) continue
        log.warn({ table: serviceTable }, 'somebody removed the table of Services, or a part of it: written again')
        await this.#write()
      } catch (error) {
        log.error({ table: serviceTable, err: error }, 'the table of Services cannot be looked after')
      }
    }
  }
}
