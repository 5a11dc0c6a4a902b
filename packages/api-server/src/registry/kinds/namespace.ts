/**
 * Namespaces. They are emptied before they go: the finalizer "kubernetes" stands in spec, and only the namespace
 * controller takes it out, through the finalize subresource.
 */

import type { Namespace, ObjectMeta } from '@dinghy/shared/api/types'
import type { KindRules } from './kind-rules.ts'
import { nameIsDnsLabel } from './object-meta.ts'

/** Lets policies select one namespace by its name. */
function labelWithName(metadata: ObjectMeta): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
}

export const namespaces: KindRules<Namespace> = {
  strategy: {
    defaults: ({ metadata }) => labelWithName(metadata),
    prepareForCreate(namespace) {
      labelWithName(namespace.metadata) // the name may have been generated only now
      namespace.spec = {
        ...namespace.spec,
        finalizers: [...new Set([...(namespace.spec?.finalizers ?? []), 'kubernetes'])],
      }
      namespace.status = { phase: 'Active' }
    },
    prepareForUpdate(next, previous) {
      next.spec = { ...next.spec, finalizers: previous.spec.finalizers ?? [] }
    },
    validateName: nameIsDnsLabel,
    subresources: {
      finalize: {
        prepareForUpdate(next, previous) {
          next.status = structuredClone(previous.status)
        },
      },
    },
  },
  selectableFields: { 'status.phase': ({ status }) => status?.phase },
}
