/**
 * API Priority and Fairness: each request belongs, by the first FlowSchema that matches it, to a priority level,
 * which has its part of the server's seats; if they are taken, it waits in a fair queue, or is told to come back
 * (429). So a client that floods the server slows itself down, and neither the nodes' heartbeats nor anybody else.
 * Follows k8s.io/apiserver/pkg/util/flowcontrol.
 *
 * Watches hold a seat until they begin; what else lasts (logs, exec, proxies) holds none. A request whose level has
 * free seats costs some microseconds here.
 *
 * Where it differs: a write takes one seat, whatever watches it; levels borrow at once (concurrency.ts).
 */

import type { Clock, Timer } from '@dinghy/shared/api/clock'
import { tooManyRequests } from '@dinghy/shared/api/errors'
import { FlowSchemas, PriorityLevelConfigurations } from '@dinghy/shared/api/resources'
import type { FlowSchema, PriorityLevelConfiguration } from '@dinghy/shared/api/types'
import type { UserInfo } from '../auth/user.ts'
import { keyPrefix } from '../registry/object-key.ts'
import { RevisionCompacted, SlowWatcher, type Storage } from '../storage/storage.ts'
import { currentLimit, type Level, seatsOf } from './concurrency.ts'
import { defaultFlowSchemas, defaultPriorityLevels } from './defaults.ts'
import { FairQueues, type Guest, type QueueSettings } from './fair-queues.ts'
import { byPrecedence, flowOf, type FlowRequest, matchesSchema, schemaOfUser, type SchemaOfUser } from './matching.ts'

/** A request's seat, or its place in a queue. */
export interface Ticket {
  /** It is over, or needs its seat no more, or does not want to wait any longer. May be called twice. */
  release(): void
}

/** What came of a request. The UIDs go into the answer in any case. */
export interface Entry {
  schemaUid: string
  levelUid: string
  /** Undefined: it is turned away. */
  ticket: Ticket | undefined
  /** Set if it has to wait: resolves when it may run, rejects with TooManyRequests when that takes too long. */
  seated?: Promise<void>
}

export class PriorityLevel implements Level {
  configuration: PriorityLevelConfiguration
  nominal = 0
  lendable = 0
  borrowable = 0
  readonly queues: FairQueues
  /** Requests that no limit holds for. */
  exempted = 0
  /** Since the server started. */
  readonly counts = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 }

  constructor(configuration: PriorityLevelConfiguration, clock: Clock, limit: (level: PriorityLevel) => number) {
    this.configuration = configuration
    this.queues = new FairQueues(queueSettings(configuration), clock, () => limit(this))
  }

  get name(): string {
    return this.configuration.metadata.name
  }

  get isExempt(): boolean {
    return this.configuration.spec.type === 'Exempt'
  }

  get seatsInUse(): number {
    return this.queues.seatsInUse
  }
}

/** A request that has a place in a queue, for those who look into them. */
export interface Waiting {
  level: string
  schema: string
  flow: string
  request: FlowRequest
}

/** As many as upstream's --max-requests-inflight and --max-mutating-requests-inflight together. */
const defaultSeats = 600
/** A quarter of the time that a request may take. */
const waitLimitMs = 15_000
const schemaPrefix = keyPrefix(FlowSchemas)
const levelPrefix = keyPrefix(PriorityLevelConfigurations)
/** What both are kept under. */
const groupPrefix = `/${FlowSchemas.group}/`

export class FlowController {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #seats: number
  readonly levels = new Map<string, PriorityLevel>()
  readonly waiting = new WeakMap<Guest, Waiting>()
  #schemas: FlowSchema[] = []
  /** Those that say something of a user, for as long as neither they nor the connection of the user change. */
  #ofUser = new WeakMap<UserInfo, SchemaOfUser[]>()

  constructor(storage: Storage, clock: Clock, seats = defaultSeats) {
    this.#storage = storage
    this.#clock = clock
    this.#seats = seats
    this.load()
  }

  /** Keeps up with the objects in storage until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { revision } = this.#storage
      this.load()
      try {
        for await (const event of this.#storage.watch(groupPrefix, revision, signal)) {
          if (event.type !== 'PROGRESS') this.load()
        }
      } catch (error) {
        // It has missed something: it begins anew.
        if (!(error instanceof SlowWatcher || error instanceof RevisionCompacted)) throw error
      }
    }
  }

  load(): void {
    const stored = this.#storage.list(levelPrefix).entries.map(({ object }) => object as PriorityLevelConfiguration)
    const configurations = withMandatory(stored, 'PriorityLevelConfiguration', defaultPriorityLevels)
    const names = new Set(configurations.map(({ metadata }) => metadata.name))
    for (const name of this.levels.keys()) if (!names.has(name)) this.levels.delete(name)
    for (const configuration of configurations) {
      const known = this.levels.get(configuration.metadata.name)
      if (known) known.configuration = configuration
      else {
        const level = new PriorityLevel(configuration, this.#clock, (one) => currentLimit(one, this.levels.values()))
        this.levels.set(level.name, level)
      }
    }
    const shares = [...this.levels.values()].map((level) => ({ level, ...sharesOf(level.configuration) }))
    const sum = shares.reduce((total, { shares: own }) => total + own, 0)
    for (const { level, ...own } of shares) Object.assign(level, seatsOf(own, sum, this.#seats))
    for (const level of this.levels.values()) level.queues.configure(queueSettings(level.configuration))
    const schemas = this.#storage.list(schemaPrefix).entries.map(({ object }) => object as FlowSchema)
    // A schema whose level is not there is passed over.
    this.#schemas = byPrecedence(withMandatory(schemas, 'FlowSchema', defaultFlowSchemas)).filter(({ spec }) =>
      this.levels.has(spec.priorityLevelConfiguration.name),
    )
    this.#ofUser = new WeakMap()
  }

  enter(request: FlowRequest, seats: number): Entry {
    const schema =
      this.#schemasOf(request.user).find((one) => matchesSchema(one, request))?.schema ?? this.#schemas.at(-1)
    const level = schema && this.levels.get(schema.spec.priorityLevelConfiguration.name)
    if (!schema || !level) throw new Error('there is no catch-all FlowSchema')
    const { uid: schemaUid } = schema.metadata
    const { uid: levelUid } = level.configuration.metadata
    if (level.isExempt) return { schemaUid, levelUid, ticket: exempted(level) }
    const flow = flowOf(schema, request)
    const guest = level.queues.arrive(flow, seats)
    if (guest === 'rejected') {
      level.counts.rejected++
      return { schemaUid, levelUid, ticket: undefined }
    }
    if (guest.state === 'executing') {
      level.counts.dispatched++
      return { schemaUid, levelUid, ticket: { release: () => this.#leave(level, guest) } }
    }
    this.waiting.set(guest, { level: level.name, schema: schema.metadata.name, flow, request })
    return { schemaUid, levelUid, ...this.#wait(level, guest) }
  }

  #schemasOf(user: UserInfo): SchemaOfUser[] {
    const known = this.#ofUser.get(user)
    if (known) return known
    const found = this.#schemas.flatMap((schema) => schemaOfUser(schema, user) ?? [])
    this.#ofUser.set(user, found)
    return found
  }

  #wait(level: PriorityLevel, guest: Guest): Required<Pick<Entry, 'ticket' | 'seated'>> {
    let timer: Timer | undefined
    let giveUp = () => {}
    const seated = new Promise<void>((resolve, reject) => {
      giveUp = () => reject(turnedAway())
      timer = this.#clock.setTimeout(() => {
        level.counts.timedOut++
        level.queues.leave(guest)
        giveUp()
      }, waitLimitMs)
      guest.start = () => {
        this.#clock.clear(timer)
        level.counts.dispatched++
        resolve()
      }
    })
    const release = () => {
      this.#clock.clear(timer)
      if (guest.state === 'waiting') {
        level.counts.cancelled++
        giveUp()
      }
      this.#leave(level, guest)
    }
    return { ticket: { release }, seated }
  }

  #leave(level: PriorityLevel, guest: Guest): void {
    if (guest.state === 'over') return
    level.queues.leave(guest)
    // What it borrowed, or lent, may be what another one waits for.
    for (const other of this.levels.values()) if (other !== level && other.queues.waiting > 0) other.queues.dispatch()
  }
}

export function turnedAway(): Error {
  return tooManyRequests('Too many requests, please try again later.', 1)
}

function exempted(level: PriorityLevel): Ticket {
  level.exempted++
  level.counts.dispatched++
  let isOver = false
  return {
    release() {
      if (!isOver) level.exempted--
      isOver = true
    },
  }
}

/**
 * The two without which nothing works are there even if somebody deleted them, until the next start makes them anew.
 */
function withMandatory<T extends FlowSchema | PriorityLevelConfiguration>(
  stored: T[],
  kind: string,
  defaults: Record<string, T['spec']>,
): T[] {
  const missing = ['exempt', 'catch-all'].filter((name) => !stored.some(({ metadata }) => metadata.name === name))
  const made = missing.map((name) => ({ kind, metadata: { name, uid: '' }, spec: defaults[name] }) as T)
  return [...stored, ...made]
}

function queueSettings({ spec }: PriorityLevelConfiguration): QueueSettings {
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = spec.limited?.limitResponse?.queuing ?? { queues: 0 }
  return { queues, handSize, queueLengthLimit }
}

function sharesOf({ spec }: PriorityLevelConfiguration) {
  const part = spec.limited ?? spec.exempt ?? {}
  return {
    shares: part.nominalConcurrencyShares ?? (spec.limited ? 30 : 0),
    lendablePercent: part.lendablePercent ?? 0,
    borrowingLimitPercent: spec.limited?.borrowingLimitPercent,
  }
}
