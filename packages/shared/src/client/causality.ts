/**
 * Causality: which revision is the present work an answer to?
 *
 * A reconciler runs inside withCause(R), where R is the revision of the watch event that put its key in the queue.
 * Whatever it awaits, however deep, can ask currentCause(); the ApiClient does so for every request and sends R along,
 * and the api-server stores it beside the write. Nobody passes a "cause" parameter around.
 *
 * Kubernetes has nothing like it: an audit log there says who wrote, never why.
 */

import { AsyncLocalStorage } from 'node:async_hooks'

const causes = new AsyncLocalStorage<string | undefined>()

/** The header that carries the cause from a client to the api-server. */
export const causeHeader = 'X-Dinghy-Cause'

/** Runs `work` as an answer to `revision`; undefined means "nobody asked": a timer, or a person. */
export function withCause<R>(revision: string | undefined, work: () => R): R {
  return causes.run(revision, work)
}

/** The revision that the running work answers to, if any. */
export function currentCause(): string | undefined {
  return causes.getStore()
}
