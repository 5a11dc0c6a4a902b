/**
 * The namespace controller: deleting a namespace deletes everything in it.
 *
 *     deletionTimestamp set by the server ──► phase Terminating (from here on admission refuses new objects)
 *        ──► delete the contents ──► something left? write the conditions, come back
 *        ──► nothing left: take our finalizer from spec.finalizers ──► the server lets the namespace go
 *
 * The finalizer "kubernetes" lives in spec, not in metadata, and only the /finalize subresource may take it away: that
 * is what makes a namespace wait for its contents.
 */

import { Namespaces } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { Namespace } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { emptyNamespace } from './namespace-contents.ts'
import { conditionsOf, isEmpty } from './namespace-status.ts'

const finalizer = 'kubernetes'
/** Pods need a moment to end. Upstream waits for half of their grace period; a look costs us little. */
const lookAgainMs = 1_000

export class NamespaceController implements Controller {
  readonly #deps: ControllerDeps
  readonly #namespaces: Informer<Namespace>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#namespaces = deps.informers.for(Namespaces)
  }

  async run(signal: AbortSignal): Promise<void> {
    const reconcile = (name: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(name, context)
    await runController(
      { ...this.#deps, name: 'namespace-controller', reconciles: this.#namespaces, reconcile },
      signal,
    )
  }

  async reconcile(name: string, context: ReconcileContext): Promise<Requeue> {
    const { client, signal } = context
    const namespace = this.#namespaces.lister.get(name)
    if (!namespace || namespace.metadata.deletionTimestamp === undefined) return undefined
    if (!namespace.spec.finalizers?.includes(finalizer)) return undefined
    if (namespace.status.phase !== 'Terminating') {
      // Our own write brings us back, and then new contents can no longer come in.
      await writeStatus(Namespaces, namespace, { ...namespace.status, phase: 'Terminating' }, context)
      return undefined
    }
    const progress = await emptyNamespace(client, name, signal)
    const conditions = conditionsOf(namespace.status.conditions, progress, nowRfc3339(this.#deps.clock))
    const current = await writeStatus(Namespaces, namespace, { ...namespace.status, conditions }, context)
    if (!isEmpty(progress)) return requeueAfter(lookAgainMs)
    await client.update(Namespaces, withoutFinalizer(current), { subresource: 'finalize' }, signal)
    return undefined
  }
}

function withoutFinalizer(namespace: Namespace): Namespace {
  const finalizers = (namespace.spec.finalizers ?? []).filter((one) => one !== finalizer)
  return { ...namespace, spec: { ...namespace.spec, finalizers } }
}
