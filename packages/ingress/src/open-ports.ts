/**
 * OpenPorts: the addresses where this process listens, as many as are wanted at the moment.
 *
 * Ports 80 and 443 may stand for others, because not everybody may listen there (--http-listen, --https-listen). An
 * address that cannot be had is said once and tried again, and is no error as long as the port has another one.
 */

import type { Clock, Timer } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import type { IngressServer, OpenPort } from './forward/server.ts'

export interface OpenPortsDeps {
  server: Pick<IngressServer, 'open'>
  clock: Clock
  log: Logger
  /** Where a port is really listened on. */
  addressesOf: (port: number) => { host: string; port: number }[]
  /** Whether a port can be had has changed. */
  onChange: () => void
}

const retryMs = 10_000

interface Place {
  opened?: OpenPort
  problem?: string
}

export class OpenPorts {
  readonly #deps: OpenPortsDeps
  /** By port, then by address. */
  readonly #ports = new Map<number, Map<string, Place>>()
  #wanted = new Map<number, 'http' | 'https'>()
  #retry: Timer | undefined
  #work: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(deps: OpenPortsDeps) {
    this.#deps = deps
  }

  /** Resolves when every address has been tried. */
  apply(wanted: ReadonlyMap<number, 'http' | 'https'>): Promise<void> {
    this.#wanted = new Map(wanted)
    this.#work = this.#work.then(() => this.#open())
    return this.#work
  }

  /** Why a port that was wanted cannot be had. */
  problem(port: number): string | undefined {
    const places = [...(this.#ports.get(port)?.values() ?? [])]
    return places.length > 0 && places.every(({ problem }) => problem !== undefined) ? places[0]?.problem : undefined
  }

  view(): { port: number; address: string; url?: string; problem?: string }[] {
    return [...this.#ports].flatMap(([port, places]) =>
      [...places].map(([address, { opened, problem }]) => ({
        port,
        address,
        ...(opened ? { url: opened.url } : {}),
        ...(problem === undefined ? {} : { problem }),
      })),
    )
  }

  close(): void {
    this.#isClosed = true
    this.#deps.clock.clear(this.#retry)
    for (const places of this.#ports.values()) for (const { opened } of places.values()) opened?.close()
  }

  async #open(): Promise<void> {
    const { addressesOf, clock, onChange } = this.#deps
    for (const [port, places] of this.#ports) {
      if (this.#wanted.has(port)) continue
      for (const { opened } of places.values()) opened?.close()
      this.#ports.delete(port)
    }
    const before = JSON.stringify(this.view())
    for (const [port, scheme] of this.#wanted) {
      const places = this.#ports.get(port) ?? new Map<string, Place>()
      this.#ports.set(port, places)
      for (const address of addressesOf(port)) await this.#openOne(port, scheme, address, places)
    }
    if (JSON.stringify(this.view()) !== before) onChange()
    const isMissing = [...this.#ports.values()].some((places) => [...places.values()].some(({ opened }) => !opened))
    if (!isMissing || this.#isClosed) return
    clock.clear(this.#retry)
    this.#retry = clock.setTimeout(() => void this.apply(this.#wanted), retryMs)
  }

  async #openOne(
    port: number,
    scheme: 'http' | 'https',
    { host, port: real }: { host: string; port: number },
    places: Map<string, Place>,
  ): Promise<void> {
    const { server, log } = this.#deps
    const address = `${host}:${real}`
    const before = places.get(address)
    if (before?.opened || this.#isClosed) return
    try {
      const opened = await server.open({ host, port: real }, { port, scheme })
      places.set(address, { opened })
      log.info({ url: opened.url, port }, 'listening')
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException
      if (!['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].includes(code)) throw error
      places.set(address, { problem: `${address} cannot be listened on (${code})` })
      if (!before) log.warn({ address, reason: message }, 'an address cannot be had; it is tried again')
    }
  }
}
