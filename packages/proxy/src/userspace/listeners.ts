/**
 * Listeners: keeps exactly the rules served that should be. The acting half of kube-proxy.
 *
 *   wanted ──bind──► serving ──no longer wanted──► closed (established connections finish)
 *     ▲       │ EADDRINUSE: another node's proxy has it ──► waiting, tried again each second: it takes over when that
 *     │       │                                              one ends
 *     └───────┤
 *             └ EACCES and the like ──► refused: said once, to the log and as an event on the Service
 *
 * On one machine all nodes share one loopback interface, so a ClusterIP can be bound by one proxy only; the others
 * stand by. It is the one thing here that upstream, with a kernel table on each node, need not think about.
 */

import type { Clock, Timer } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { listenTcp, type Forwarder, type ForwarderDeps } from './forwarder.ts'
import { bindingOf, type Rule } from './rules.ts'
import { listenUdp } from './udp-forwarder.ts'

export type ListenerState = 'binding' | 'serving' | 'waiting' | 'refused'

export interface ListenerView extends Rule {
  state: ListenerState
  /** Why it is not serving. */
  error?: string
  connections: number
}

export interface ListenersOptions extends ForwarderDeps {
  /** Called once for each rule that cannot be served on this machine. */
  onRefused(rule: Rule, reason: string): void
}

const retryMs = 1_000

export class Listeners {
  readonly #options: ListenersOptions
  /** Service → the rules that it wants served. */
  readonly #claims = new Map<string, Rule[]>()
  /** Binding → who serves it. */
  readonly #listeners = new Map<string, Listener>()
  /** Closed, but with connections that have not ended. */
  readonly #draining = new Set<Forwarder>()

  constructor(options: ListenersOptions) {
    this.#options = options
  }

  /** From now on these are the rules of this Service. Resolves when each has been bound or has failed to be. */
  async apply(service: string, rules: Rule[]): Promise<void> {
    if (rules.length > 0) this.#claims.set(service, rules)
    else this.#claims.delete(service)
    const wanted = this.#elect()
    for (const [binding, listener] of this.#listeners) {
      if (wanted.get(binding)?.service !== listener.rule.service) this.#remove(binding, listener)
    }
    await Promise.all([...wanted].map(([binding, rule]) => this.#serve(binding, rule)))
  }

  view(): ListenerView[] {
    return [...this.#listeners.values()].map((listener) => listener.view())
  }

  /** Stops serving at once, so that another node's proxy can take over, and gives what is established `drainMs`. */
  async close(drainMs: number): Promise<void> {
    for (const [binding, listener] of this.#listeners) this.#remove(binding, listener)
    const deadlineMs = this.#options.clock.now() + drainMs
    const isDone = (): boolean => [...this.#draining].every(({ connections }) => connections === 0)
    while (!isDone() && this.#options.clock.now() < deadlineMs) await this.#options.clock.sleep(50)
    for (const forwarder of this.#draining) forwarder.destroy()
  }

  /** Two Services may want the same address and port (one externalIP, say): whoever serves it keeps it. */
  #elect(): Map<string, Rule> {
    const wanted = new Map<string, Rule>()
    for (const rule of [...this.#claims.values()].flat()) {
      const binding = bindingOf(rule)
      const serves = this.#listeners.get(binding)?.rule.service === rule.service
      if (serves || !wanted.has(binding)) wanted.set(binding, rule)
    }
    return wanted
  }

  async #serve(binding: string, rule: Rule): Promise<void> {
    const present = this.#listeners.get(binding)
    if (present) return present.update(rule)
    const listener = new Listener(rule, this.#options)
    this.#listeners.set(binding, listener)
    await listener.bind()
  }

  #remove(binding: string, listener: Listener): void {
    this.#listeners.delete(binding)
    for (const forwarder of this.#draining) if (forwarder.connections === 0) this.#draining.delete(forwarder)
    const forwarder = listener.close()
    if (forwarder) this.#draining.add(forwarder)
  }
}

class Listener {
  rule: Rule
  readonly #options: ListenersOptions
  readonly #clock: Clock
  readonly #log: Logger
  #state: ListenerState = 'binding'
  #error: string | undefined
  #forwarder: Forwarder | undefined
  #timer: Timer | undefined
  #isClosed = false

  constructor(rule: Rule, options: ListenersOptions) {
    this.rule = rule
    this.#options = options
    this.#clock = options.clock
    this.#log = options.log
  }

  async bind(): Promise<void> {
    const { protocol } = this.rule
    if (protocol === 'SCTP') return this.#refuse('SCTP cannot be forwarded in user space')
    if (protocol === 'UDP' && this.#options.dial) return this.#refuse('UDP cannot be forwarded through a unix socket')
    try {
      const listen = this.rule.protocol === 'UDP' ? listenUdp : listenTcp
      const forwarder = await listen(this.rule, this.#options)
      // Removed, or changed, while the system call was under way.
      if (this.#isClosed) return forwarder.close()
      forwarder.update(this.rule)
      this.#forwarder = forwarder
      this.#state = 'serving'
      this.#error = undefined
      this.#log.debug({ rule: bindingOf(this.rule), service: this.rule.service }, 'serving')
    } catch (error) {
      if (!this.#isClosed) this.#failed(error as NodeJS.ErrnoException)
    }
  }

  update(rule: Rule): void {
    this.rule = rule
    this.#forwarder?.update(rule)
  }

  view(): ListenerView {
    const error = this.#error === undefined ? {} : { error: this.#error }
    return { ...this.rule, state: this.#state, ...error, connections: this.#forwarder?.connections ?? 0 }
  }

  /** Returns the forwarder if connections may still run through it. */
  close(): Forwarder | undefined {
    this.#isClosed = true
    this.#clock.clear(this.#timer)
    this.#forwarder?.close()
    return this.#forwarder
  }

  #failed(error: NodeJS.ErrnoException): void {
    const { address, port, protocol } = this.rule
    switch (error.code) {
      case 'EADDRINUSE':
        if (this.#state !== 'waiting') {
          this.#log.debug({ rule: bindingOf(this.rule) }, "taken, most likely by another node's proxy: standing by")
        }
        this.#state = 'waiting'
        this.#error = error.message
        this.#timer = this.#clock.setTimeout(() => void this.bind(), retryMs)
        return
      case 'EACCES':
        return this.#refuse(
          `this process may not listen on ports below 1024 (${protocol} ${address}:${port}): give the Service a higher port, or lower net.ipv4.ip_unprivileged_port_start`,
        )
      case 'EADDRNOTAVAIL':
        return this.#refuse(`${address} is not an address of this machine`)
      default:
        return this.#refuse(error.message)
    }
  }

  #refuse(reason: string): void {
    this.#state = 'refused'
    this.#error = reason
    this.#log.warn({ rule: bindingOf(this.rule), service: this.rule.service }, reason)
    this.#options.onRefused(this.rule, reason)
  }
}
