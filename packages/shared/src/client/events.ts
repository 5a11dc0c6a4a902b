/**
 * EventRecorder: tells people what a component did to an object, as `kubectl describe` shows it.
 *
 * Callers may rely on: event() returns at once and never throws; events are written in the order of the calls; what
 * cannot be written is logged and let go, because an event must never hold up the work that it tells about.
 * What happens to repeats follows client-go's correlator (event-correlator.ts decides, this file writes).
 */

import { systemClock, type Clock } from '../api/clock.ts'
import { hasReason } from '../api/errors.ts'
import { Events } from '../api/resources.ts'
import { nowRfc3339 } from '../api/time.ts'
import type { Draft, Event, KubernetesObject } from '../api/types.ts'
import type { ApiClient } from './api-client.ts'
import { Backoff } from './backoff.ts'
import { EventCorrelator, type EventFacts } from './event-correlator.ts'
import { stderrLogger, type Logger } from './stderr-logger.ts'

export type EventType = 'Normal' | 'Warning'

/** Beyond this many unwritten events (the api-server is away) new ones are let go. */
const mostPending = 1_000
/** An event that the api-server could not take is tried this often before it is let go. */
const attempts = 12

export class EventRecorder {
  readonly #client: ApiClient
  readonly #component: string
  readonly #host: string | undefined
  readonly #clock: Clock
  readonly #log: Logger
  readonly #correlator: EventCorrelator
  readonly #stopped = new AbortController()
  #pending = 0
  #tail: Promise<void> = Promise.resolve()

  constructor(
    client: ApiClient,
    options: { component: string; host?: string | undefined; clock?: Clock; log?: Logger },
  ) {
    this.#client = client
    this.#component = options.component
    this.#host = options.host
    this.#clock = options.clock ?? systemClock
    this.#log = options.log ?? stderrLogger
    this.#correlator = new EventCorrelator(this.#clock)
  }

  /** `fieldPath` names a part of the object: "spec.containers{web}". */
  event(object: KubernetesObject, type: EventType, reason: string, message: string, fieldPath?: string): void {
    if (this.#pending >= mostPending) {
      this.#log.warn({ reason, object: object.metadata.name }, 'too many unwritten events: letting one go')
      return
    }
    const facts: EventFacts = {
      source: { component: this.#component, ...(this.#host ? { host: this.#host } : {}) },
      involvedObject: {
        kind: object.kind,
        apiVersion: object.apiVersion,
        name: object.metadata.name,
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
        ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
        ...(fieldPath ? { fieldPath } : {}),
      },
      type,
      reason,
      message,
    }
    const timestamp = nowRfc3339(this.#clock)
    this.#pending += 1
    // Begun here, so that the write carries the cause of the caller.
    const previous = this.#tail
    this.#tail = this.#writeAfter(previous, facts, timestamp)
  }

  /** Resolves when every event so far has been written or let go. */
  async flush(): Promise<void> {
    await this.#tail
  }

  /** Lets go of whatever waits for a retry. */
  stop(): void {
    this.#stopped.abort()
  }

  async #writeAfter(previous: Promise<void>, facts: EventFacts, timestamp: string): Promise<void> {
    await previous
    try {
      await this.#write(facts, timestamp)
    } catch (error) {
      const { reason, message, involvedObject } = facts
      this.#log.warn(
        { err: error, reason, text: message, object: involvedObject.name },
        'an event could not be written',
      )
    } finally {
      this.#pending -= 1
    }
  }

  async #write(facts: EventFacts, timestamp: string): Promise<void> {
    const decision = this.#correlator.correlate(facts)
    if (!decision) return
    const namespace = facts.involvedObject.namespace ?? 'default'
    const { name, count, message, key } = decision
    if (name !== undefined) {
      const patch = { type: 'strategic', body: { count, message, lastTimestamp: timestamp } } as const
      try {
        await this.#retrying(() => this.#client.patch(Events, { namespace, name }, patch))
        return
      } catch (error) {
        // Events are kept for an hour: the one to count up is gone, so begin a new one.
        if (!hasReason(error, 'NotFound')) throw error
      }
    }
    const draft = newEvent(facts, decision, { namespace, timestamp, name: this.#uniqueName(facts) })
    const created = await this.#retrying(() => this.#client.create(Events, draft))
    this.#correlator.written(key, created.metadata.name)
  }

  /** Only an absent server is worth waiting for; a refusal (say, of a namespace being deleted) is final. */
  async #retrying<R>(attempt: () => Promise<R>): Promise<R> {
    const backoff = new Backoff(this.#clock)
    for (let tries = 1; ; tries++) {
      try {
        return await attempt()
      } catch (error) {
        if (tries >= attempts || !hasReason(error, 'ServiceUnavailable')) throw error
        await backoff.wait(this.#stopped.signal)
      }
    }
  }

  /**
   * "<object>.<hex of the time in nanoseconds>", as upstream; the last digits are random, since our clock has only ms.
   */
  #uniqueName({ involvedObject }: EventFacts): string {
    const nanoseconds = BigInt(Math.floor(this.#clock.now())) * 1_000_000n + BigInt(Math.floor(Math.random() * 1e6))
    return `${involvedObject.name}.${nanoseconds.toString(16)}`
  }
}

function newEvent(
  facts: EventFacts,
  { count, message }: { count: number; message: string },
  { namespace, timestamp, name }: { namespace: string; timestamp: string; name: string },
): Draft<Event> {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, name },
    involvedObject: facts.involvedObject,
    reason: facts.reason,
    message,
    type: facts.type,
    source: facts.source,
    reportingComponent: facts.source.component,
    reportingInstance: facts.source.host ?? '',
    count,
    firstTimestamp: timestamp,
    lastTimestamp: timestamp,
  }
}
