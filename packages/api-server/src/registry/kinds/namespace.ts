// Namespaces. They are emptied before they go: the finalizer "kubernetes" stands in spec, and only the namespace
// controller takes it out, through the finalize subresource.

import type { Namespace } from '@dinghy/shared/api/types'
import type { KindRules } from './kinds.ts'
import { nameIsDnsLabel } from './object-meta.ts'

export const namespaces: KindRules<Namespace> = {
  strategy: {
    defaults({ metadata }) {
      // Lets policies select one namespace by its name.
      if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
    },
    prepareForCreate(namespace) {
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
