/**
 * The ServiceAccount controller: every namespace has a ServiceAccount named "default", so that a pod that names none
 * still has an identity. Delete it and it comes back.
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { Namespaces, ServiceAccounts } from '@dinghy/shared/api/resources'
import type { Namespace, ServiceAccount } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { Controller, ControllerDeps } from '../deps.ts'
import { isActive, isSettled } from '../children/active-namespace.ts'

const accountName = 'default'

export class ServiceAccountController implements Controller {
  readonly #deps: ControllerDeps
  readonly #namespaces: Informer<Namespace>
  readonly #accounts: Informer<ServiceAccount>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#namespaces = deps.informers.for(Namespaces)
    this.#accounts = deps.informers.for(ServiceAccounts)
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name: 'service-account-controller',
        reconciles: this.#namespaces,
        watches: [[this.#accounts, namespaceOfDefault]],
        reconcile: (namespace, context) => this.reconcile(namespace, context),
      },
      signal,
    )
  }

  async reconcile(namespace: string, { client, signal }: ReconcileContext): Promise<void> {
    const isThere = this.#accounts.lister.get(makeKey(namespace, accountName)) !== undefined
    if (isThere || !isActive(this.#namespaces.lister.get(namespace))) return
    try {
      await client.create(ServiceAccounts, { metadata: { name: accountName, namespace } }, {}, signal)
    } catch (error) {
      if (!isSettled(error)) throw error
    }
  }
}

function namespaceOfDefault({ metadata: { name, namespace } }: ServiceAccount): string[] {
  return name === accountName && namespace !== undefined ? [namespace] : []
}
