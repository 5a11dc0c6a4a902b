/**
 * The schema of a custom resource as CEL sees it. What the schema does not describe does not exist for an expression,
 * though it may be preserved; of metadata only the name and generateName do. Follows k8s.io/apiserver/pkg/cel/common.
 */

import { listOf, mapOf, objectOf, type CelType } from '../cel/cel-type.ts'
import { itemsOf, type ResourceSchema } from './resource-schema.ts'

const text: ResourceSchema = { type: 'string' }
const resourceFields: Record<string, ResourceSchema> = {
  apiVersion: text,
  kind: text,
  metadata: { type: 'object', properties: { name: text, generateName: text } },
}

/** Undefined for what expressions cannot speak of. `isResource`: the root of a resource, or one that is embedded. */
export function celTypeOf(schema: ResourceSchema, isResource: boolean): CelType | undefined {
  if (schema['x-kubernetes-int-or-string']) return { kind: 'dyn', ...(schema.maxLength ? sizeOf(schema) : {}) }
  switch (schema.type) {
    case 'array': {
      const items = itemsOf(schema)
      const of = items && celTypeOf(items, isEmbedded(items))
      return of && listOf(of, schema.maxItems)
    }
    case 'object': {
      const others = schema.additionalProperties
      if (typeof others === 'object') {
        const of = celTypeOf(others, isEmbedded(others))
        return of && mapOf(of, schema.maxProperties)
      }
      const properties = Object.entries({ ...schema.properties, ...(isResource ? resourceFields : {}) })
      const fields = properties.flatMap(([name, property]) => {
        const type = celTypeOf(property, isEmbedded(property))
        return type ? [[name, type] as const] : []
      })
      return objectOf(Object.fromEntries(fields))
    }
    case 'string':
      return textType(schema)
    case 'boolean':
      return { kind: 'bool' }
    case 'number':
      return { kind: 'double' }
    case 'integer':
      return { kind: 'int' }
    default:
      return undefined
  }
}

export function isEmbedded(schema: ResourceSchema): boolean {
  return schema['x-kubernetes-embedded-resource'] ?? false
}

function textType(schema: ResourceSchema): CelType {
  switch (schema.format) {
    case 'byte':
      return { kind: 'bytes', ...(schema.maxLength !== undefined ? { maxSize: schema.maxLength } : {}) }
    case 'duration':
      return { kind: 'duration' }
    case 'date':
    case 'date-time':
      return { kind: 'timestamp' }
    default:
      return { kind: 'string', ...sizeOf(schema) }
  }
}

/** In bytes: a character may take four. */
function sizeOf({ maxLength, enum: values }: ResourceSchema): { maxSize?: number } {
  if (maxLength !== undefined) return { maxSize: maxLength * 4 }
  const lengths = (values as unknown[] | undefined)?.map((value) => (typeof value === 'string' ? value.length : 0))
  return lengths?.length ? { maxSize: Math.max(...lengths) } : {}
}
