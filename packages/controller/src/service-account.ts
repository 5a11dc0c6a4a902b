/**
 * The ServiceAccount controller: every namespace has a ServiceAccount named "default", so that a pod that names none
 * still has an identity. Delete it and it comes back.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { Namespaces, ServiceAccounts } from '@dinghy/shared/api/resources'
import type { ServiceAccount } from '@dinghy/shared/api/types'
import { runController } from '@dinghy/shared/reconcile/controller'
import type { ControllerDeps } from './deps.ts'

const accountName = 'default'

export async function startServiceAccountController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const namespaces = deps.informers.for(Namespaces)
  const accounts = deps.informers.for(ServiceAccounts)

  await runController(
    {
      ...deps,
      name: 'service-account-controller',
      reconciles: namespaces,
      watches: [[accounts, namespaceOfDefault]],
      reconcile: async (namespace, { client, signal }) => {
        const isThere = accounts.lister.get(`${namespace}/${accountName}`) !== undefined
        if (isThere || !isActive(namespaces.lister.get(namespace))) return
        try {
          await client.create(ServiceAccounts, { metadata: { name: accountName, namespace } }, {}, signal)
        } catch (error) {
          if (!isSettled(error)) throw error
        }
      },
    },
    signal,
  )
}

function namespaceOfDefault({ metadata: { name, namespace } }: ServiceAccount): string[] {
  return name === accountName && namespace !== undefined ? [namespace] : []
}

/** In a namespace that is being deleted nothing may be created. */
export function isActive(namespace: { metadata: { deletionTimestamp?: string } } | undefined): boolean {
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined
}

/** Someone else was quicker, or the namespace has begun to go: nothing is left to do. */
export function isSettled(error: unknown): boolean {
  if (hasReason(error, 'AlreadyExists', 'NotFound')) return true
  return hasReason(error, 'Forbidden') && error.message.includes('being terminated')
}
