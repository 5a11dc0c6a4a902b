/**
 * Namespaces. They are emptied before they go: the finalizer "kubernetes" stands in spec, and only the namespace
 * controller takes it out, through the finalize subresource.
 */

import { invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import type { Namespace, ObjectMeta } from '@dinghy/shared/api/types'
import { named } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { nameIsDnsLabel } from './object-meta.ts'

/** Lets policies select one namespace by its name. */
function labelWithName(metadata: ObjectMeta): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
}

/** Those that are known by a name alone; everybody else's begin with a domain. */
const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion']

function validateFinalizer(name: string, path: string): FieldError[] {
  const errors = named(path, name, isQualifiedName(name))
  if (name.includes('/') || standardFinalizers.includes(name)) return errors
  return [...errors, invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified')]
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
    validate: ({ spec }) => (spec?.finalizers ?? []).flatMap((name) => validateFinalizer(name, 'spec.finalizers')),
    validateStatusUpdate({ metadata, status }) {
      const phase = status?.phase ?? ''
      const isGoing = metadata.deletionTimestamp !== undefined
      if (phase === (isGoing ? 'Terminating' : 'Active')) return []
      const detail = isGoing
        ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
        : "may only be 'Active' if `deletionTimestamp` is empty"
      return [invalid('status.Phase', phase, detail)]
    },
    subresources: {
      finalize: {
        prepareForUpdate(next, previous) {
          next.status = structuredClone(previous.status)
        },
        validateUpdate: ({ spec }) =>
          (spec?.finalizers ?? []).flatMap((name, i) => validateFinalizer(name, `spec.finalizers[${i}]`)),
      },
    },
  },
  selectableFields: { 'status.phase': ({ status }) => status?.phase },
}
