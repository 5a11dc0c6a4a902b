/**
 * Gate: what a person may do to a running control loop: look into its queue, pause it, let one key through, resume.
 *
 * Whoever makes a queue registers its gate in debugQueues under the controller's name; the process' debug server
 * (process/debug-server.ts) serves whatever it finds there. Upstream has nothing like it.
 */

/** A key that waits, and the revision that asked for it (undefined: a timer did). */
export interface QueuedKey {
  key: string
  cause: string | undefined
}

/** A queue as people see it, in the order in which its keys will be handed out. */
export interface QueueSnapshot {
  paused: boolean
  queued: QueuedKey[]
  processing: QueuedKey[]
  delayed: (QueuedKey & { dueInMs: number })[]
  /** Counts since the process started. */
  totals: Record<string, number>
}

export interface Gate {
  /** Keys that are ready to be handed out now. */
  readonly length: number
  /** From now on nothing is handed out; keys keep arriving. */
  pause(): void
  resume(): void
  /** Lets one key through the closed gate and names it; undefined if the gate is open or no key is ready. */
  step(): string | undefined
  snapshot(): QueueSnapshot
}

export const debugQueues = new Map<string, Gate>()
