/**
 * The queues of one priority level: who may run now, who waits, who is turned away. Fair queuing with shuffle
 * sharding, as upstream's fairqueuing/queueset: every flow (say, every user) is dealt a few of the queues and takes
 * the one with the least work in it; seats go to the queue that has had least service so far. A flow that floods
 * fills its own hand of queues and waits there, while the others find a queue of theirs empty.
 *
 * Service is counted in seat-seconds, in virtual time: R grows as fast as each busy queue would be served if all were
 * served at once. A request is expected to take `guess`; when it is over, its queue is corrected by what it really
 * took.
 *
 * No timers and no promises here: the clock is read, and whoever waits is called back.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { dealHand } from './shuffle-shard.ts'

export interface QueueSettings {
  /** No queues at all: what does not fit is turned away. */
  queues: number
  handSize: number
  queueLengthLimit: number
}

/** One request, from its arrival to its end. */
export interface Guest {
  readonly flow: string
  readonly seats: number
  readonly arrivedMs: number
  state: 'waiting' | 'executing' | 'over'
  queue: Queue | undefined
  startedMs: number
  /** Called when a seat is free, if it had to wait. */
  start?: () => void
}

export interface Queue {
  readonly index: number
  readonly waiting: Guest[]
  seatsInUse: number
  executing: number
  /** Virtual time at which its next request may begin. */
  nextStart: number
}

/** In seconds: what a request takes as long as nobody knows. Upstream's guess. */
const guess = 0.003
/** As many hands as are remembered. */
const maxHands = 10_000

export class FairQueues {
  #settings: QueueSettings
  readonly #clock: Clock
  /** How many seats the level has at this moment; those that it borrows included. */
  readonly #limit: () => number
  #queues: Queue[]
  readonly #hands = new Map<string, number[]>()
  #virtualNow = 0
  #lastMs: number
  #nextQueue = 0
  seatsInUse = 0
  executing = 0
  waiting = 0
  #seatsWaiting = 0
  /** Queues in which somebody runs or waits. */
  #busy = 0

  constructor(settings: QueueSettings, clock: Clock, limit: () => number) {
    this.#settings = settings
    this.#clock = clock
    this.#limit = limit
    this.#lastMs = clock.now()
    this.#queues = makeQueues(settings.queues)
  }

  get queues(): readonly Queue[] {
    return this.#queues
  }

  /** Those who wait keep their places; a queue that is no longer dealt out drains. */
  configure(settings: QueueSettings): void {
    if (settings.queues !== this.#settings.queues || settings.handSize !== this.#settings.handSize) this.#hands.clear()
    if (settings.queues > this.#queues.length) {
      this.#queues = [...this.#queues, ...makeQueues(settings.queues).slice(this.#queues.length)]
    }
    this.#settings = settings
    this.dispatch()
  }

  /** 'executing': it runs. 'waiting': it will be called back. 'rejected': there is no room. */
  arrive(flow: string, seats: number): Guest | 'rejected' {
    this.#advance()
    const guest: Guest = { flow, seats, arrivedMs: this.#clock.now(), state: 'waiting', queue: undefined, startedMs: 0 }
    if (this.#settings.queues === 0) {
      if (!this.#fits(seats)) return 'rejected'
      this.#begin(guest)
      return guest
    }
    const queue = this.#chooseQueue(flow)
    guest.queue = queue
    if (this.waiting === 0 && this.#fits(seats)) {
      this.#occupy(queue)
      this.#begin(guest)
      return guest
    }
    if (queue.waiting.length >= this.#settings.queueLengthLimit) return 'rejected'
    this.#occupy(queue)
    queue.waiting.push(guest)
    this.waiting++
    this.#seatsWaiting += seats
    this.dispatch()
    return guest
  }

  /** It is over, or nobody waits for it any more. */
  leave(guest: Guest): void {
    if (guest.state === 'over') return
    this.#advance()
    const { queue, seats } = guest
    if (guest.state === 'waiting') {
      queue?.waiting.splice(queue.waiting.indexOf(guest), 1)
      this.waiting--
      this.#seatsWaiting -= seats
    } else {
      this.seatsInUse -= seats
      this.executing--
      if (queue) {
        queue.seatsInUse -= seats
        queue.executing--
        const took = (this.#clock.now() - guest.startedMs) / 1000
        queue.nextStart += (took - guess) * seats
      }
    }
    guest.state = 'over'
    if (queue && isEmpty(queue)) this.#busy--
    this.dispatch()
  }

  /** Call before somebody comes: a queue that was empty begins now, and is owed nothing. */
  #occupy(queue: Queue): void {
    if (!isEmpty(queue)) return
    queue.nextStart = this.#virtualNow
    this.#busy++
  }

  /** Gives free seats to those who wait. */
  dispatch(): void {
    while (this.waiting > 0) {
      const queue = this.#leastServed()
      const guest = queue?.waiting[0]
      if (!queue || !guest || !this.#fits(guest.seats)) return
      queue.waiting.shift()
      this.waiting--
      this.#seatsWaiting -= guest.seats
      this.#begin(guest)
      guest.start?.()
    }
  }

  /** A request that needs more than all seats runs alone. */
  #fits(seats: number): boolean {
    return this.seatsInUse === 0 ? this.#limit() > 0 : this.seatsInUse + seats <= this.#limit()
  }

  #begin(guest: Guest): void {
    guest.state = 'executing'
    guest.startedMs = this.#clock.now()
    this.seatsInUse += guest.seats
    this.executing++
    const { queue } = guest
    if (!queue) return
    queue.seatsInUse += guest.seats
    queue.executing++
    queue.nextStart += guess * guest.seats
  }

  #chooseQueue(flow: string): Queue {
    let hand = this.#hands.get(flow)
    if (!hand) {
      if (this.#hands.size >= maxHands) this.#hands.clear()
      this.#hands.set(flow, (hand = dealHand(flow, this.#settings.queues, this.#settings.handSize)))
    }
    let best: Queue | undefined
    for (const index of hand) {
      const queue = this.#queues[index]
      if (queue && (!best || workOf(queue) < workOf(best))) best = queue
    }
    if (!best) throw new Error('a flow was dealt no queue')
    return best
  }

  /** Of the queues in which somebody waits, the one that would be done first; in turn, if several would. */
  #leastServed(): Queue | undefined {
    let best: Queue | undefined
    let bestFinish = Infinity
    const count = this.#queues.length
    for (let i = 0; i < count; i++) {
      const queue = this.#queues[(this.#nextQueue + i) % count]
      const first = queue?.waiting[0]
      if (!queue || !first) continue
      const finish = queue.nextStart + guess * first.seats
      if (finish < bestFinish) [best, bestFinish] = [queue, finish]
    }
    if (best) this.#nextQueue = (best.index + 1) % count
    return best
  }

  #advance(): void {
    const now = this.#clock.now()
    const seconds = (now - this.#lastMs) / 1000
    this.#lastMs = now
    if (seconds <= 0 || this.executing + this.waiting === 0 || this.#settings.queues === 0) return
    const served = Math.min(this.seatsInUse + this.#seatsWaiting, this.#limit())
    if (this.#busy > 0) this.#virtualNow += (seconds * served) / this.#busy
  }
}

function isEmpty({ executing, waiting }: Queue): boolean {
  return executing + waiting.length === 0
}

function workOf({ waiting, seatsInUse }: Queue): number {
  if (waiting.length === 0) return seatsInUse
  let seats = seatsInUse
  for (const guest of waiting) seats += guest.seats
  return seats
}

function makeQueues(count: number): Queue[] {
  return Array.from({ length: count }, (_, index) => ({
    index,
    waiting: [],
    seatsInUse: 0,
    executing: 0,
    nextStart: 0,
  }))
}
