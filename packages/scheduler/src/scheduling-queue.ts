/**
 * SchedulingQueue: the pods that wait for a node.
 *
 *   add ──► active ── take ──► in flight ──┬── bound: done
 *             ▲  ▲                         ├── failed for a reason outside the pod ──► backoff
 *             │  └── backoff over ◄────────┤
 *             │                            └── no node fits ──► unschedulable ── an event that helps, or 5 minutes ──┐
 *             └─────────────────────────────── (still in backoff? then there first) ◄────────────────────────────────┘
 *
 * Callers may rely on: the most important pod comes first, among equals the one that has waited longest; a pod is never
 * handed out twice at a time; an event that happens while a pod is being tried is not lost on it; a pod with scheduling
 * gates is never handed out. Backoff is 1 s, doubling to 10 s. As in Kubernetes 1.33, an idle scheduler takes a pod
 * out of backoff early unless it got there by an error, for then it would only hammer what is broken.
 */

import type { Clock, Timer } from '@dinghy/shared/api/clock'
import { keyOf } from '@dinghy/shared/api/keys'
import type { Pod } from '@dinghy/shared/api/types'
import type { Gate, QueuedKey, QueueSnapshot } from '@dinghy/shared/reconcile/gate'
import type { ClusterEvent } from './framework.ts'
import { priorityOf } from './snapshot.ts'

export interface QueuedPod {
  readonly key: string
  pod: Pod
  /** The newest revision that asked for an attempt. */
  cause: string | undefined
  attempts: number
}

export interface SchedulingQueueOptions {
  clock: Clock
  /** Whether an event is a reason to try again a pod that these plugins refused. */
  isHelpedBy: (event: ClusterEvent, pod: Pod, refusedBy: ReadonlySet<string>) => boolean
  firstBackoffMs?: number | undefined
  longestBackoffMs?: number | undefined
}

interface Item extends QueuedPod {
  /** When it last came to wait; among equals the earlier goes first, and `order` decides within a millisecond. */
  since: number
  order: number
  refusedBy: ReadonlySet<string>
  /** Not before this time. */
  backoffUntil: number
  failedByError: boolean
}

interface Flight {
  item: Item
  events: { event: ClusterEvent; cause: string }[]
  /** The pod's spec or labels changed under way. */
  changed: boolean
}

interface SchedulingSnapshot extends QueueSnapshot {
  unschedulable: { key: string; refusedBy: string[]; gates?: string[] }[]
}

/** A pod that no event was found to help is tried again after this time: hints may be wrong. */
const leftoverMs = 5 * 60_000

export class SchedulingQueue implements Gate {
  readonly #clock: Clock
  readonly #isHelpedBy: SchedulingQueueOptions['isHelpedBy']
  readonly #backoffMs: { first: number; longest: number }
  readonly #active = new Map<string, Item>()
  readonly #backoff = new Map<string, Item>()
  readonly #unschedulable = new Map<string, Item>()
  readonly #inFlight = new Map<string, Flight>()
  readonly #totals = { added: 0, attempts: 0, unschedulable: 0, errors: 0 }
  #order = 0
  #timer: Timer | undefined
  #paused = false
  #steps = 0
  #wake: () => void = () => undefined

  constructor(options: SchedulingQueueOptions) {
    const { clock, isHelpedBy, firstBackoffMs = 1_000, longestBackoffMs = 10_000 } = options
    this.#clock = clock
    this.#isHelpedBy = isHelpedBy
    this.#backoffMs = { first: firstBackoffMs, longest: longestBackoffMs }
  }

  /** A pod without a node, new or changed. */
  add(pod: Pod, cause: string): void {
    const key = keyOf(pod)
    const flight = this.#inFlight.get(key)
    const waiting = this.#find(key)
    const known = flight?.item ?? waiting
    if (known?.pod.metadata.uid !== pod.metadata.uid) {
      this.delete(key)
      this.#totals.added += 1
      this.#enter({
        key,
        pod,
        cause,
        attempts: 0,
        ...this.#now(),
        refusedBy: new Set(),
        backoffUntil: 0,
        failedByError: false,
      })
      return
    }
    const changed = isOtherwisePlaced(known.pod, pod)
    known.pod = pod
    if (changed) known.cause = cause
    if (flight) flight.changed ||= changed
    else if (changed && this.#unschedulable.delete(key)) this.#enter(known)
  }

  /** The pod is gone, bound, or not ours any more. */
  delete(key: string): void {
    for (const place of [this.#active, this.#backoff, this.#unschedulable]) place.delete(key)
    this.#inFlight.delete(key)
    this.#arm()
  }

  /** The next pod, or undefined when the signal aborts. The taker must call done, refuse or fail for it. */
  async take(signal: AbortSignal): Promise<QueuedPod | undefined> {
    while (!signal.aborted) {
      const item = this.#next()
      if (item !== undefined) return item
      await this.#changed(signal)
    }
    return undefined
  }

  /** The pod has a node, or needs none. */
  done({ key }: QueuedPod): void {
    this.#inFlight.delete(key)
  }

  /** No node fits, say these plugins. */
  refuse(taken: QueuedPod, refusedBy: ReadonlySet<string>): void {
    const flight = this.#land(taken)
    if (flight === undefined) return
    this.#totals.unschedulable += 1
    const item = { ...this.#afterFailure(flight.item), refusedBy, failedByError: false }
    const help = flight.events.findLast(({ event }) => this.#isHelpedBy(event, item.pod, refusedBy))
    if (help !== undefined) this.#enter({ ...item, cause: help.cause })
    else if (flight.changed) this.#enter(item)
    else this.#unschedulable.set(item.key, item)
    this.#arm()
  }

  /** Something broke on the way; it is not the pod's fault, but trying at once would not help. */
  fail(taken: QueuedPod): void {
    const flight = this.#land(taken)
    if (flight === undefined) return
    this.#totals.errors += 1
    this.#enter({ ...this.#afterFailure(flight.item), failedByError: true })
  }

  /** Something happened in the cluster: whoever may be helped by it gets another try. */
  notify(event: ClusterEvent, cause: string): void {
    for (const flight of this.#inFlight.values()) flight.events.push({ event, cause })
    for (const item of this.#unschedulable.values()) {
      if (isGated(item.pod) || !this.#isHelpedBy(event, item.pod, item.refusedBy)) continue
      this.#unschedulable.delete(item.key)
      this.#enter({ ...item, cause })
    }
  }

  /** Whether the pod waits here or is being tried. */
  has(key: string): boolean {
    return this.#inFlight.has(key) || this.#find(key) !== undefined
  }

  /** Pods that could be handed out now. */
  get length(): number {
    return this.#ready().length
  }

  /** How many pods wait where, as scheduler_pending_pods counts them. */
  get pending(): { active: number; backoff: number; unschedulable: number; gated: number } {
    const gated = [...this.#unschedulable.values()].filter(({ pod }) => isGated(pod)).length
    const unschedulable = this.#unschedulable.size - gated
    return { active: this.#active.size, backoff: this.#backoff.size, unschedulable, gated }
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#steps = 0
    this.#wake()
  }

  step(): string | undefined {
    const next = this.#ready().sort(byUrgency)[this.#steps]
    if (!this.#paused || next === undefined) return undefined
    this.#steps += 1
    this.#wake()
    return next.key
  }

  /** Pods that would be tried now if the gate were open. */
  heldPods(): Pod[] {
    return this.#paused ? this.#ready().map(({ pod }) => pod) : []
  }

  snapshot(): SchedulingSnapshot {
    const now = this.#clock.now()
    return {
      paused: this.#paused,
      queued: [...this.#active.values()].sort(byUrgency).map(listed),
      processing: [...this.#inFlight.values()].map(({ item }) => listed(item)),
      delayed: [...this.#backoff.values()].map((item) => ({ ...listed(item), dueInMs: item.backoffUntil - now })),
      unschedulable: [...this.#unschedulable.values()].map(({ key, pod, refusedBy }) =>
        isGated(pod) ? { key, refusedBy: [], gates: gatesOf(pod) } : { key, refusedBy: [...refusedBy] },
      ),
      totals: { ...this.#totals },
    }
  }

  #find(key: string): Item | undefined {
    return this.#active.get(key) ?? this.#backoff.get(key) ?? this.#unschedulable.get(key)
  }

  /** Puts a pod where it may be taken from as soon as its backoff allows. */
  #enter(item: Item): void {
    const place = isGated(item.pod)
      ? this.#unschedulable
      : item.backoffUntil > this.#clock.now()
        ? this.#backoff
        : this.#active
    place.set(item.key, item)
    this.#arm()
    this.#wake()
  }

  #next(): Item | undefined {
    if (this.#paused && this.#steps === 0) return undefined
    const item = this.#ready().reduce<Item | undefined>((a, b) => (a && byUrgency(a, b) < 0 ? a : b), undefined)
    if (item === undefined) return undefined
    if (this.#paused) this.#steps -= 1
    this.#active.delete(item.key)
    this.#backoff.delete(item.key)
    item.attempts += 1
    this.#totals.attempts += 1
    this.#inFlight.set(item.key, { item, events: [], changed: false })
    this.#arm()
    return item
  }

  #ready(): Item[] {
    if (this.#active.size > 0) return [...this.#active.values()]
    return [...this.#backoff.values()].filter((item) => !item.failedByError)
  }

  /** The flight of this pod; undefined if the pod was deleted, or replaced by another of its name, meanwhile. */
  #land({ key }: QueuedPod): Flight | undefined {
    const flight = this.#inFlight.get(key)
    this.#inFlight.delete(key)
    return flight
  }

  #afterFailure(item: Item): Item {
    const backoffMs = Math.min(this.#backoffMs.first * 2 ** (item.attempts - 1), this.#backoffMs.longest)
    return { ...item, ...this.#now(), backoffUntil: this.#clock.now() + backoffMs }
  }

  #now(): { since: number; order: number } {
    return { since: this.#clock.now(), order: this.#order++ }
  }

  /** One timer, for the first thing that becomes due. */
  #arm(): void {
    this.#clock.clear(this.#timer)
    this.#timer = undefined
    const due = [
      ...Array.from(this.#backoff.values(), (item) => item.backoffUntil),
      ...Array.from(this.#leftovers(), (item) => item.since + leftoverMs),
    ]
    if (due.length === 0) return
    const next = due.reduce((a, b) => Math.min(a, b))
    this.#timer = this.#clock.setTimeout(() => this.#flush(), Math.max(0, next - this.#clock.now()))
  }

  #flush(): void {
    const now = this.#clock.now()
    const due = [
      ...[...this.#backoff.values()].filter((item) => item.backoffUntil <= now),
      ...this.#leftovers().filter((item) => item.since + leftoverMs <= now),
    ]
    for (const item of due) {
      this.#backoff.delete(item.key)
      this.#unschedulable.delete(item.key)
      this.#enter(item)
    }
    this.#arm()
  }

  #leftovers(): Item[] {
    return [...this.#unschedulable.values()].filter(({ pod }) => !isGated(pod))
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}

/** More important first, then whoever has waited longest. */
function byUrgency(a: Item, b: Item): number {
  return priorityOf(b.pod) - priorityOf(a.pod) || a.since - b.since || a.order - b.order
}

/** Our own notes in the pod's status are no reason to try again; what the pod asks for is. */
function isOtherwisePlaced(previous: Pod, pod: Pod): boolean {
  const relevant = ({ spec, metadata: { labels, annotations } }: Pod) => JSON.stringify({ spec, labels, annotations })
  return relevant(previous) !== relevant(pod)
}

function gatesOf(pod: Pod): string[] {
  return (pod.spec.schedulingGates ?? []).map((gate) => gate.name)
}

function isGated(pod: Pod): boolean {
  return gatesOf(pod).length > 0
}

function listed({ key, cause }: Item): QueuedKey {
  return { key, cause }
}
