/**
 * The namespace controller: deleting a namespace deletes everything in it.
 *
 *     deletionTimestamp set by the server ──► phase Terminating (from here on admission refuses new objects)
 *        ──► delete the contents ──► something left? write the conditions, come back
 *        ──► nothing left: take our finalizer from spec.finalizers ──► the server lets the namespace go
 *
 * The finalizer "kubernetes" lives in spec, not in metadata, and only the /finalize subresource may take it away: that is
 * what makes a namespace wait for its contents.
 */

import { nowRfc3339 } from '@dinghy/shared/api/time'
import { Namespaces } from '@dinghy/shared/api/resources'
import type { Namespace } from '@dinghy/shared/api/types'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { ControllerDeps } from '../deps.ts'
import { emptyNamespace } from './namespace-contents.ts'
import { conditionsOf, isEmpty } from './namespace-status.ts'

const finalizer = 'kubernetes'
/** Pods need a moment to end. Upstream waits for half of their grace period; a look costs us little. */
const lookAgainMs = 1_000

export async function startNamespaceController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const namespaces = deps.informers.for(Namespaces)

  async function reconcile(name: string, { client, signal }: ReconcileContext) {
    const namespace = namespaces.lister.get(name)
    if (!namespace || namespace.metadata.deletionTimestamp === undefined) return undefined
    if (!namespace.spec.finalizers?.includes(finalizer)) return undefined
    const report = (status: Partial<Namespace['status']>): Promise<Namespace> => {
      const next = { ...namespace, status: { ...namespace.status, ...status } }
      return client.update(Namespaces, next, { subresource: 'status' }, signal)
    }
    if (namespace.status.phase !== 'Terminating') {
      // Our own write brings us back, and then new contents can no longer come in.
      await report({ phase: 'Terminating' })
      return undefined
    }
    const progress = await emptyNamespace(client, name, signal)
    const conditions = conditionsOf(namespace.status.conditions, progress, nowRfc3339(deps.clock))
    const isNews = conditions !== namespace.status.conditions
    const current = isNews ? await report({ conditions }) : namespace
    if (!isEmpty(progress)) return { requeueAfterMs: lookAgainMs }
    await client.update(Namespaces, withoutFinalizer(current), { subresource: 'finalize' }, signal)
    return undefined
  }

  await runController({ ...deps, name: 'namespace-controller', reconciles: namespaces, reconcile }, signal)
}

function withoutFinalizer(namespace: Namespace): Namespace {
  const finalizers = (namespace.spec.finalizers ?? []).filter((one) => one !== finalizer)
  return { ...namespace, spec: { ...namespace.spec, finalizers } }
}
