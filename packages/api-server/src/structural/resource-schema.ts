/**
 * The OpenAPI schema of a custom resource, as its author wrote it into a CustomResourceDefinition: JSONSchemaProps with
 * the extensions that Kubernetes adds. Whoever reads one here may rely on it being structural: every value has one
 * schema, which says all there is about its shape; anyOf and its like only judge (registry/kinds/structural-schema.ts).
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js'

export interface ResourceSchema extends Omit<
  JSONSchemaProps,
  'additionalProperties' | 'allOf' | 'anyOf' | 'items' | 'not' | 'oneOf' | 'properties'
> {
  additionalProperties?: ResourceSchema | boolean
  allOf?: ResourceSchema[]
  anyOf?: ResourceSchema[]
  items?: ResourceSchema | ResourceSchema[]
  not?: ResourceSchema
  oneOf?: ResourceSchema[]
  properties?: Record<string, ResourceSchema>
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-list-type'?: string
  'x-kubernetes-map-type'?: string
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-validations'?: ValidationRule[]
}

/** Which kind a schema is of. */
export interface ResourceIdentity {
  group: string
  version: string
  kind: string
}

/** One rule in CEL: what must hold of the value that its schema describes. */
export interface ValidationRule {
  rule?: string
  message?: string
  messageExpression?: string
  reason?: string
  fieldPath?: string
  optionalOldSelf?: boolean
}

/** The fields that every resource has, whatever its schema says. */
export const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

export function itemsOf(schema: ResourceSchema | undefined): ResourceSchema | undefined {
  return Array.isArray(schema?.items) ? undefined : schema?.items
}

/** The schema of a member: that of its property or, where there is none, that of all other properties. */
export function memberOf(schema: ResourceSchema | undefined, name: string): ResourceSchema | undefined {
  const property = ownValue(schema?.properties, name)
  if (property) return property
  const others = schema?.additionalProperties
  return typeof others === 'object' ? others : undefined
}

/** Whether the schema allows members of this name at all. */
export function isKnownMember(schema: ResourceSchema | undefined, name: string): boolean {
  if (ownValue(schema?.properties, name)) return true
  return Boolean(schema?.additionalProperties)
}
