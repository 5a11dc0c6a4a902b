/**
 * The rules of every object's metadata. Pure; messages as in k8s.io/apimachinery/pkg/api/validation/objectmeta.go.
 *
 * They run on the object as it is about to be stored: generateName has been turned into a name, the namespace of the
 * URL filled in, server-set fields set.
 */

import { forbidden, invalid, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain, isQualifiedName } from '@dinghy/shared/api/names'
import type { KubernetesObject, ObjectMeta, OwnerReference } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from '../resource-definition.ts'
import { labels, unchanged } from './checks.ts'

const totalAnnotationSize = 256 * 1024

export function validateObjectMeta(
  definition: Pick<ResourceDefinition, 'namespaced' | 'strategy'>,
  object: KubernetesObject,
): FieldError[] {
  const meta: Partial<ObjectMeta> = object.metadata
  const { strategy } = definition
  const validateName = (name: string, prefix: boolean) =>
    strategy.validateName?.(name, prefix) ?? nameIsDnsSubdomain(name, prefix)
  const at = (field: string) => `metadata.${field}`
  const errors: FieldError[] = []
  if (meta.generateName) {
    errors.push(...validateName(meta.generateName, true).map((m) => invalid(at('generateName'), meta.generateName, m)))
  }
  if (!meta.name) errors.push(required(at('name'), 'name or generateName is required'))
  else errors.push(...validateName(meta.name, false).map((m) => invalid(at('name'), meta.name, m)))
  errors.push(...validateNamespace(definition.namespaced, meta.namespace))
  if ((meta.generation ?? 0) < 0) {
    errors.push(invalid(at('generation'), meta.generation, 'must be greater than or equal to 0'))
  }
  errors.push(...labels(at('labels'), meta.labels))
  errors.push(...validateAnnotations(meta.annotations, at('annotations')))
  errors.push(...validateOwnerReferences(meta.ownerReferences ?? [], at('ownerReferences')))
  errors.push(...validateFinalizers(meta.finalizers ?? [], at('finalizers')))
  return errors
}

export function validateObjectMetaUpdate(next: KubernetesObject, previous: KubernetesObject): FieldError[] {
  const [meta, old] = [next.metadata, previous.metadata]
  const errors: FieldError[] = []
  if (old.deletionTimestamp !== undefined) {
    const added = (meta.finalizers ?? []).filter((finalizer) => !old.finalizers?.includes(finalizer))
    if (added.length > 0) {
      const names = added.map((name) => JSON.stringify(name)).join(', ')
      const message = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${names}}`
      errors.push(forbidden('metadata.finalizers', message))
    }
  }
  if ((meta.generation ?? 0) < (old.generation ?? 0)) {
    errors.push(invalid('metadata.generation', meta.generation ?? 0, 'must not be decremented'))
  }
  const fixed = [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const
  for (const field of fixed) errors.push(...unchanged(`metadata.${field}`, meta[field], old[field]))
  return errors
}

export function validateAnnotations(annotations: Record<string, string> | undefined, path: string): FieldError[] {
  const entries = Object.entries(annotations ?? {})
  const errors = entries.flatMap(([key]) =>
    isQualifiedName(key.toLowerCase()).map((message) => invalid(path, key, message)),
  )
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  return size > totalAnnotationSize ? [...errors, tooLong(path, totalAnnotationSize)] : errors
}

/** Built-in kinds accept only these unqualified; a custom resource may use any qualified name. */
export function validateFinalizerIsQualified(object: KubernetesObject): FieldError[] {
  return (object.metadata.finalizers ?? []).flatMap((finalizer, i) =>
    finalizer.includes('/') || standardFinalizers.has(finalizer)
      ? []
      : [
          invalid(
            `metadata.finalizers[${i}]`,
            finalizer,
            'name is neither a standard finalizer name nor is it fully qualified',
          ),
        ],
  )
}

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

// ---- names

export function nameIsDnsSubdomain(name: string, prefix: boolean): string[] {
  return isDns1123Subdomain(prefix ? maskTrailingDash(name) : name)
}

export function nameIsDnsLabel(name: string, prefix: boolean): string[] {
  return isDns1123Label(prefix ? maskTrailingDash(name) : name)
}

/** A generateName may end in a dash, because characters will follow. */
export function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name
}

function validateNamespace(namespaced: boolean, namespace: string | undefined): FieldError[] {
  if (!namespaced) return namespace ? [forbidden('metadata.namespace', 'not allowed on this type')] : []
  if (!namespace) return [required('metadata.namespace')]
  return isDns1123Label(namespace).map((message) => invalid('metadata.namespace', namespace, message))
}

function validateOwnerReferences(owners: OwnerReference[], path: string): FieldError[] {
  const errors = owners.flatMap((owner, i) => validateOwnerReference(owner, `${path}[${i}]`))
  const [first, second] = owners.filter((owner) => owner.controller)
  if (first && second) {
    const message = `Only one reference can have Controller set to true. Found "true" in references for ${first.name} and ${second.name}`
    errors.push(invalid(path, owners, message))
  }
  return errors
}

function validateOwnerReference(owner: Partial<OwnerReference>, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (!owner.apiVersion) errors.push(invalid(`${path}.apiVersion`, owner.apiVersion ?? '', 'version must not be empty'))
  for (const field of ['kind', 'name', 'uid'] as const) {
    if (!owner[field]) errors.push(invalid(`${path}.${field}`, owner[field] ?? '', 'must not be empty'))
  }
  if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
    errors.push(invalid(path, owner, '/v1, Kind=Event is disallowed from being an owner'))
  }
  return errors
}

function validateFinalizers(finalizers: string[], path: string): FieldError[] {
  const errors = finalizers.flatMap((name) => isQualifiedName(name).map((message) => invalid(path, name, message)))
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  }
  return errors
}
