/**
 * What a version of a custom resource may say besides its schema: that it is old, its subresources, its columns.
 */

import { duplicate, invalid, required, tooMany, type FieldError } from '@dinghy/shared/api/field-errors'
import type {
  CustomResourceColumnDefinition,
  CustomResourceSubresources,
  SelectableField,
} from 'kubernetes-types/apiextensions/v1.js'
import { resolveFieldPath } from '../../structural/schema-path.ts'
import type { ResourceSchema } from '../../structural/resource-schema.ts'
import { requiredText } from './checks.ts'

const maxWarningBytes = 256

export function validateDeprecation(deprecated: boolean, warning: string | undefined, path: string): FieldError[] {
  if (warning === undefined) return []
  if (!deprecated) return [invalid(path, warning, 'can only be set for deprecated versions')]
  const problems: string[] = []
  if (Buffer.byteLength(warning) > maxWarningBytes) problems.push(`must be <= ${maxWarningBytes} characters long`)
  if (warning === '') problems.push('must not be an empty string')
  const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning)
  if (unprintable) {
    const index = Buffer.byteLength(warning.slice(0, unprintable.index))
    const detail = `must only contain printable UTF-8 characters; non-printable character found at index ${index}`
    problems.push(detail)
  }
  return problems.map((problem) => invalid(path, warning, problem))
}

export function validateSubresources(subresources: CustomResourceSubresources | undefined, path: string): FieldError[] {
  const { scale } = subresources ?? {}
  if (!scale) return []
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale
  const at = `${path}.scale`
  return [
    ...(specReplicasPath
      ? pathBelow(['.spec.'], specReplicasPath, `${at}.specReplicasPath`, 'should be a json path under .spec')
      : [required(`${at}.specReplicasPath`)]),
    ...(statusReplicasPath
      ? pathBelow(['.status.'], statusReplicasPath, `${at}.statusReplicasPath`, 'should be a json path under .status')
      : [required(`${at}.statusReplicasPath`)]),
    ...(labelSelectorPath
      ? pathBelow(
          ['.spec.', '.status.'],
          labelSelectorPath,
          `${at}.labelSelectorPath`,
          'should be a json path under either .spec or .status',
        )
      : []),
  ]
}

function pathBelow(roots: string[], jsonPath: string, at: string, detail: string): FieldError[] {
  const errors = validateJsonPath(jsonPath, at)
  if (errors.length > 0 || roots.some((root) => jsonPath.startsWith(root))) return errors
  return [invalid(at, jsonPath, detail)]
}

function validateJsonPath(jsonPath: string, at: string): FieldError[] {
  return jsonPath.startsWith('.') ? [] : [invalid(at, jsonPath, 'must be a simple json path starting with .')]
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

export function validateColumn(column: CustomResourceColumnDefinition, path: string): FieldError[] {
  const { name, type, format, jsonPath } = column
  const errors = requiredText(`${path}.name`, name)
  const types = `must be one of ${columnTypes.join(',')}`
  if (!type) errors.push(required(`${path}.type`, types))
  else if (!columnTypes.includes(type)) errors.push(invalid(`${path}.type`, type, types))
  if (format && !columnFormats.includes(format)) {
    errors.push(invalid(`${path}.format`, format, `must be one of ${columnFormats.join(',')}`))
  }
  // Upstream's internal name for the field.
  if (!jsonPath) return [...errors, required(`${path}.JSONPath`)]
  return [...errors, ...validateJsonPath(jsonPath, `${path}.JSONPath`)]
}

const maxSelectableFields = 8
const selectableTypes = new Set(['string', 'boolean', 'integer'])

export function validateSelectableFields(
  fields: SelectableField[],
  schema: ResourceSchema,
  path: string,
): FieldError[] {
  const seen = new Set<string>()
  const errors = fields.flatMap(({ jsonPath }, i): FieldError[] => {
    const at = `${path}[${i}].jsonPath`
    if (!jsonPath) return [required(at)]
    const found = resolveFieldPath(jsonPath, schema, false)
    if (typeof found === 'string') return [invalid(at, jsonPath, `is an invalid path: ${found}`)]
    const problems: FieldError[] = []
    if (/^metadata\b/.test(found.path)) problems.push(invalid(at, jsonPath, 'must not point to fields in metadata'))
    if (!selectableTypes.has(found.schema.type ?? '')) {
      const detail =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.'
      problems.push(invalid(at, jsonPath, detail))
    }
    if (seen.has(found.path)) problems.push(duplicate(at, jsonPath))
    seen.add(found.path)
    return problems
  })
  return seen.size > maxSelectableFields ? [...errors, tooMany(path, seen.size, maxSelectableFields)] : errors
}
