/**
 * What is under way for a pod between two syncs. Never needed to decide rightly, only to decide calmly: an agent that
 * starts without it tries a failed start at once instead of later, and that is all.
 */

import type { WaitingReason } from './container-status.ts'

export interface PodProgress {
  /** The node has agreed to run it. */
  admitted: boolean
  /** By container name: why the last attempt to start it failed, and when to try again. */
  failures: Map<string, WaitingReason & { retryAt: number }>
  mountFailures: number
  /** When its volumes are to be held against their limits again. */
  measureAt: number
  /** Why the node has decided to end it before its time. */
  evicted?: WaitingReason
  /** The DELETE that ends the object has been sent. */
  deleted: boolean
  /** Aborted when somebody deletes the pod: a pull or a hook under way must not hold that up. */
  interrupt: AbortController
}

export function newProgress(): PodProgress {
  return {
    admitted: false,
    failures: new Map(),
    mountFailures: 0,
    measureAt: 0,
    deleted: false,
    interrupt: new AbortController(),
  }
}
