/**
 * CustomResourceDefinitions: new kinds. Here they are checked and kept; custom-resources/ serves them. Follows
 * apiextensions-apiserver's pkg/apis/apiextensions/validation.
 *
 * What all versions say alike, upstream moves to the spec before it validates; its errors name that place
 * ("spec.validation.openAPIV3Schema"), and so do ours.
 */

import { isDeepStrictEqual } from 'node:util'
import { isConditionTrue, setCondition } from '@dinghy/shared/api/conditions'
import { forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1035Label, isDns1123Subdomain } from '@dinghy/shared/api/names'
import type { CustomResourceDefinition } from '@dinghy/shared/api/types'
import type {
  CustomResourceConversion,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from 'kubernetes-types/apiextensions/v1.js'
import { loadCel } from '../../cel/load-cel.ts'
import type { ResourceSchema } from '../../structural/resource-schema.ts'
import { hasRules } from '../../structural/rules.ts'
import { requiredOneOf, requiredText, unchanged } from './checks.ts'
import type * as Deep from './custom-resource-deep.ts'
import {
  validateColumn,
  validateDeprecation,
  validateSelectableFields,
  validateSubresources,
} from './custom-resource-version.ts'
import type { KindRules } from './kind-rules.ts'
import { validateApproval } from './protected-group.ts'
import { validateResourceSchema } from './custom-resource-schema.ts'
import { defaultWebhookClient, validateWebhookClient } from './webhook-client.ts'
import { validateReviewVersions } from './webhook-configuration.ts'

export const customResourceDefinitions: KindRules<CustomResourceDefinition> = {
  strategy: {
    defaults: ({ spec }) => {
      if (spec) defaultSpec(spec)
    },
    prepareForCreate(definition) {
      definition.status = {}
      recordStorageVersion(definition)
    },
    prepareForUpdate: recordStorageVersion,
    generationOf: ({ spec }) => spec,
    validate: ({ metadata, spec, status }) => [
      ...validateName(metadata.name, spec),
      ...validateSpec(spec),
      ...validateStoredVersions(status?.storedVersions ?? [], spec.versions ?? []),
    ],
    validateCreate: (definition) => [
      ...validateApproval(definition),
      ...validatePreserving(definition.spec),
      ...validateNewSchemas(definition, undefined),
    ],
    validateUpdate: (next, previous) => [...validateUpdate(next, previous), ...validateNewSchemas(next, previous)],
    validateStatusUpdate: ({ spec, status }) => validateStoredVersions(status?.storedVersions ?? [], spec.versions),
    load,
    requiresResourceVersion: true,
    prepareForDelete,
  },
}

function defaultSpec(spec: CustomResourceDefinitionSpec): void {
  const { names } = spec
  if (names) {
    names.singular ||= (names.kind ?? '').toLowerCase()
    if (names.kind) names.listKind ||= `${names.kind}List`
  }
  spec.conversion ??= { strategy: 'None' }
  defaultWebhookClient(spec.conversion.webhook?.clientConfig)
}

let deep: typeof Deep | undefined

async function load({ spec }: CustomResourceDefinition): Promise<void> {
  deep ??= await import('./custom-resource-deep.ts')
  if (schemasOf(spec.versions ?? []).some(({ schema }) => hasRules(schema))) await loadCel()
}

/** What has been stored may stay as it is, by whatever rules it was judged. */
function validateNewSchemas(
  next: CustomResourceDefinition,
  previous: CustomResourceDefinition | undefined,
): FieldError[] {
  const known = schemasOf(previous?.spec.versions ?? [])
  return schemasOf(next.spec.versions ?? []).flatMap(({ schema, path, hasStatus }) => {
    if (known.some((one) => isDeepStrictEqual(one.schema, schema))) return []
    // Faults of the schema itself are told by `validate`, and would lead to strange ones here.
    if (validateResourceSchema(schema, path, hasStatus).length > 0) return []
    if (!deep) throw new Error('the rules of custom resources are asked before they were loaded')
    return deep.validateDeeply(schema, path)
  })
}

/** A version that objects were ever stored in stays on this list until somebody has migrated them. */
function recordStorageVersion(definition: CustomResourceDefinition): void {
  const stored = definition.spec.versions?.find(({ storage }) => storage)?.name
  const status = (definition.status ??= {})
  if (stored === undefined || status.storedVersions?.includes(stored)) return
  status.storedVersions = [...(status.storedVersions ?? []), stored]
}

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

/** Its instances go first; custom-resources/custom-resource-controller.ts sees to that. */
function prepareForDelete(definition: CustomResourceDefinition, now: string): void {
  const { metadata } = definition
  metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), cleanupFinalizer])]
  const condition = {
    type: 'Terminating',
    status: 'True',
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  }
  const status = (definition.status ??= {})
  status.conditions = setCondition(status.conditions, condition, now)
}

function validateName(name: string, { names, group }: CustomResourceDefinitionSpec): FieldError[] {
  if (name === `${names?.plural ?? ''}.${group ?? ''}`) return []
  return [invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]
}

function validateSpec(spec: CustomResourceDefinitionSpec): FieldError[] {
  const { versions, conversion } = spec
  const errors = validateGroup(spec.group ?? '')
  errors.push(...requiredOneOf('spec.scope', spec.scope, ['Cluster', 'Namespaced']))
  for (const [i, { schema }] of versions.entries()) {
    if (schema?.openAPIV3Schema) continue
    errors.push(required(`spec.versions[${i}].schema.openAPIV3Schema`, 'schemas are required'))
  }
  errors.push(...validateVersions(versions))
  errors.push(...validateNames(spec.names ?? {}, 'spec.names'))
  return conversion ? [...errors, ...validateConversion(conversion, spec.preserveUnknownFields ?? false)] : errors
}

function validateGroup(group: string): FieldError[] {
  if (group === '') return [required('spec.group')]
  const problems = isDns1123Subdomain(group)
  if (problems.length > 0) return [invalid('spec.group', group, problems.join(','))]
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')]
}

function validateVersions(versions: CustomResourceDefinitionVersion[]): FieldError[] {
  const errors: FieldError[] = []
  for (const [i, { name = '', deprecated = false, deprecationWarning }] of versions.entries()) {
    const problems = isDns1035Label(name)
    if (problems.length > 0) errors.push(invalid(`spec.versions[${i}].name`, name, problems.join(',')))
    errors.push(...validateDeprecation(deprecated, deprecationWarning, `spec.versions[${i}].deprecationWarning`))
  }
  errors.push(...validateParts(versions))
  if (new Set(versions.map(({ name }) => name)).size < versions.length) {
    errors.push(invalid('spec.versions', versions, 'must contain unique version names'))
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    errors.push(invalid('spec.versions', versions, 'must have exactly one version marked as storage version'))
  }
  return errors
}

type Part = 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields'

/** A part of the versions, and where it stands: once if all versions agree, else version by version. */
function partsOf(
  versions: CustomResourceDefinitionVersion[],
  field: Part,
  nameInSpec: string = field,
): { version: CustomResourceDefinitionVersion; path: string }[] {
  const [first] = versions
  if (first && versions.every((version) => isDeepStrictEqual(version[field], first[field]))) {
    const withStatus = versions.find(({ subresources }) => subresources?.status)
    return [{ version: field === 'schema' && withStatus ? withStatus : first, path: `spec.${nameInSpec}` }]
  }
  return versions.map((version, i) => ({ version, path: `spec.versions[${i}].${field}` }))
}

function schemasOf(
  versions: CustomResourceDefinitionVersion[],
): { schema: ResourceSchema; path: string; hasStatus: boolean }[] {
  return partsOf(versions, 'schema', 'validation').flatMap(({ version: { schema, subresources }, path }) => {
    const sent: ResourceSchema | undefined = schema?.openAPIV3Schema
    const hasStatus = Boolean(subresources?.status)
    return sent ? [{ schema: sent, path: `${path}.openAPIV3Schema`, hasStatus }] : []
  })
}

function validateParts(versions: CustomResourceDefinitionVersion[]): FieldError[] {
  return [
    ...schemasOf(versions).flatMap(({ schema, path, hasStatus }) => validateResourceSchema(schema, path, hasStatus)),
    ...partsOf(versions, 'subresources').flatMap(({ version: { subresources }, path }) =>
      validateSubresources(subresources, path),
    ),
    ...partsOf(versions, 'additionalPrinterColumns').flatMap(({ version, path }) =>
      (version.additionalPrinterColumns ?? []).flatMap((column, i) => validateColumn(column, `${path}[${i}]`)),
    ),
    ...partsOf(versions, 'selectableFields').flatMap(({ version: { selectableFields, schema }, path }) =>
      validateSelectableFields(selectableFields ?? [], (schema?.openAPIV3Schema ?? {}) as ResourceSchema, path),
    ),
  ]
}

const mixedCase = 'may have mixed case, but should otherwise match: '

function validateNames(names: Partial<CustomResourceDefinitionNames>, path: string): FieldError[] {
  const fields = ['plural', 'singular', 'kind', 'listKind'] as const
  const errors = fields.flatMap((field) => requiredText(`${path}.${field}`, names[field]))
  for (const field of fields) {
    const name = names[field]
    if (!name) continue
    const isKind = field === 'kind' || field === 'listKind'
    const problems = isDns1035Label(isKind ? name.toLowerCase() : name)
    if (problems.length === 0) continue
    errors.push(invalid(`${path}.${field}`, name, (isKind ? mixedCase : '') + problems.join(',')))
  }
  if (names.kind && names.kind === names.listKind) {
    errors.push(invalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'))
  }
  for (const field of ['shortNames', 'categories'] as const) {
    for (const [i, name] of (names[field] ?? []).entries()) {
      const problems = isDns1035Label(name)
      if (problems.length > 0) errors.push(invalid(`${path}.${field}[${i}]`, name, problems.join(',')))
    }
  }
  return errors
}

/** The paths are those of upstream's internal form, in which `webhook` is not a field of its own. */
function validateConversion({ strategy, webhook }: CustomResourceConversion, preserving: boolean): FieldError[] {
  const at = 'spec.conversion'
  const errors: FieldError[] = []
  if (strategy !== 'None' && preserving) {
    errors.push(invalid(`${at}.strategy`, strategy, 'must be None if spec.preserveUnknownFields is true'))
  }
  errors.push(...requiredOneOf(`${at}.strategy`, strategy, ['None', 'Webhook']))
  const { clientConfig, conversionReviewVersions } = webhook ?? {}
  if (strategy === 'Webhook') {
    const client = clientConfig
      ? validateWebhookClient(clientConfig, `${at}.webhookClientConfig`)
      : [required(`${at}.webhookClientConfig`, 'required when strategy is set to Webhook')]
    const reviews = validateReviewVersions(conversionReviewVersions, `${at}.conversionReviewVersions`, '')
    return [...errors, ...client, ...reviews]
  }
  const misplaced = 'should not be set when strategy is not set to Webhook'
  if (clientConfig) errors.push(forbidden(`${at}.webhookClientConfig`, misplaced))
  if (conversionReviewVersions?.length) errors.push(forbidden(`${at}.conversionReviewVersions`, misplaced))
  return errors
}

function validateStoredVersions(stored: string[], versions: CustomResourceDefinitionVersion[]): FieldError[] {
  const at = 'status.storedVersions'
  if (stored.length === 0) return [invalid(at, stored, 'must have at least one stored version')]
  const missing = stored.flatMap((name, i) => {
    if (versions.some((version) => version.name === name)) return []
    const detail = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`
    return [invalid(`${at}[${i}]`, name, detail)]
  })
  const unrecorded = versions.filter(({ name, storage }) => storage && !stored.includes(name))
  return [...unrecorded.map(({ name }) => invalid(at, stored, `must have the storage version ${name}`)), ...missing]
}

function validatePreserving({ preserveUnknownFields }: CustomResourceDefinitionSpec): FieldError[] {
  if (!preserveUnknownFields) return []
  const detail =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead'
  return [invalid('spec.preserveUnknownFields', true, detail)]
}

function validateUpdate(next: CustomResourceDefinition, previous: CustomResourceDefinition): FieldError[] {
  const [now, before] = [next.spec, previous.spec]
  const errors: FieldError[] = []
  if (isConditionTrue(previous.status?.conditions, 'Established')) {
    errors.push(...unchanged('spec.scope', now.scope, before.scope))
    errors.push(...unchanged('spec.names.kind', now.names.kind, before.names.kind))
  }
  errors.push(...unchanged('spec.group', now.group, before.group))
  errors.push(...unchanged('spec.names.plural', now.names.plural, before.names.plural))
  errors.push(...validateApproval(next, previous))
  return before.preserveUnknownFields ? errors : [...errors, ...validatePreserving(now)]
}
