/**
 * What happened, for `docker events`: a bus that remembers the last events so that `--since` can replay them.
 * Anything in the runtime may publish; nobody in the runtime reacts to an event (reconcilers read the state).
 */
import { EventEmitter } from 'node:events'
import type { Clock } from '@dinghy/shared/api/clock'

export interface DockerEvent {
  Type: 'container' | 'image' | 'network' | 'volume' | 'builder' | 'daemon'
  Action: string
  Actor: { ID: string; Attributes: Record<string, string> }
  scope: 'local'
  /** Seconds, and the same instant in nanoseconds. */
  time: number
  timeNano: number
  /** Older names of the same facts, sent for containers and images only. */
  status?: string
  id?: string
  from?: string
}

/** As many as Docker keeps. */
const remembered = 256

export class EventBus {
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  readonly #recent: DockerEvent[] = []
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  publish(type: DockerEvent['Type'], action: string, id: string, attributes: Record<string, string> = {}): void {
    const now = this.#clock.now()
    const event: DockerEvent = {
      ...(type === 'container' || type === 'image' ? { status: action, id } : {}),
      ...(type === 'container' && attributes['image'] !== undefined ? { from: attributes['image'] } : {}),
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      time: Math.floor(now / 1000),
      timeNano: Math.round(now * 1e6),
    }
    this.#recent.push(event)
    if (this.#recent.length > remembered) this.#recent.shift()
    this.#emitter.emit('event', event)
  }

  /** Remembered events, oldest first. */
  recent(): readonly DockerEvent[] {
    return this.#recent
  }

  /** Calls `listener` for every event from now on, until the signal aborts. */
  subscribe(listener: (event: DockerEvent) => void, signal: AbortSignal): void {
    if (signal.aborted) return
    this.#emitter.on('event', listener)
    signal.addEventListener('abort', () => this.#emitter.off('event', listener), { once: true })
  }
}
