/**
 * Keeps the status of ValidatingAdmissionPolicies: which generation was looked at, and what type checking found. In
 * upstream the controller manager does it, with the same compiler; here the compiler is in this process.
 */

import type { ValidatingAdmissionPolicy } from '@dinghy/shared/api/types'
import { ValidatingAdmissionPolicies } from '@dinghy/shared/api/resources'
import { loadCel } from '../../cel/load-cel.ts'
import { keyPrefix } from '../../registry/object-key.ts'
import type { Resources } from '../../registry/resources.ts'
import type { Store } from '../../registry/store.ts'
import { serverContext } from '../../registry/write-context.ts'
import { RevisionCompacted, SlowWatcher, type Storage } from '../../storage/storage.ts'
import { hasReason } from '@dinghy/shared/api/errors'
import { checkTypes } from './type-checking.ts'

interface Deps {
  storage: Storage
  store: Store
  resources: Resources
}

/** Until the signal aborts. */
export async function runPolicyStatus(deps: Deps, signal: AbortSignal): Promise<void> {
  const prefix = keyPrefix(ValidatingAdmissionPolicies)
  while (!signal.aborted) {
    const { revision, entries } = deps.storage.list(prefix)
    for (const { object } of entries) await reconcile(deps, object as ValidatingAdmissionPolicy)
    try {
      for await (const event of deps.storage.watch(prefix, revision, signal)) {
        if (event.type === 'ADDED' || event.type === 'MODIFIED') {
          await reconcile(deps, event.entry.object as ValidatingAdmissionPolicy)
        }
      }
    } catch (error) {
      // It has missed something: it begins anew.
      if (!(error instanceof SlowWatcher || error instanceof RevisionCompacted)) throw error
    }
  }
}

async function reconcile({ store, resources }: Deps, policy: ValidatingAdmissionPolicy): Promise<void> {
  const { metadata, status } = policy
  if (status.observedGeneration === metadata.generation) return
  const expressionWarnings = checkTypes(await loadCel(), policy, resources)
  const found = {
    observedGeneration: metadata.generation,
    typeChecking: expressionWarnings.length > 0 ? { expressionWarnings } : {},
  }
  const { group, version, plural } = ValidatingAdmissionPolicies
  const definition = resources.get(group, version, plural)
  if (!definition) return
  try {
    const change = (current: object | undefined) => ({ ...(current as ValidatingAdmissionPolicy), status: found })
    await store.update(definition, { name: metadata.name }, change, serverContext, { subresource: 'status' })
  } catch (error) {
    // Somebody deleted it in the meantime.
    if (!hasReason(error, 'NotFound')) throw error
  }
}
