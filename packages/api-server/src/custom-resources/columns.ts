/**
 * What `kubectl get` prints of a custom resource: its name, and the columns that its definition asks for, or its age.
 * Follows apiextensions-apiserver's pkg/registry/customresource/tableconvertor.
 */

import type { CustomResourceColumnDefinition } from 'kubernetes-types/apiextensions/v1.js'
import { age, nameColumn } from '../registry/columns/column.ts'
import type { Cell, Column } from '../registry/resource-definition.ts'
import { findByPath, parseJsonPath, type JsonPath } from '../structural/json-path.ts'

const ageColumn: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description: 'How long ago the object was created.',
  jsonPath: '.metadata.creationTimestamp',
}

export function columnsFor(additional: CustomResourceColumnDefinition[] | undefined): Column[] {
  const columns = additional?.length ? additional : [ageColumn]
  return [nameColumn, ...columns.map(columnFor)]
}

function columnFor({ name, type, format, description, jsonPath, priority }: CustomResourceColumnDefinition): Column {
  const path = readPath(jsonPath)
  return {
    name,
    type: type as Column['type'],
    format: format ?? '',
    description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    priority: priority ?? 0,
    cell(object, now) {
      const [value] = path ? findByPath(path, object) : []
      return value === undefined || value === null ? null : cellOf(value, type, now)
    },
  }
}

/** A path that cannot be read shows nothing, as upstream; it was no reason to refuse the definition. */
function readPath(jsonPath: string): JsonPath | undefined {
  try {
    return parseJsonPath(jsonPath)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

function cellOf(value: unknown, type: string, now: number): Cell {
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      if (typeof value !== 'string') return null
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : age(value, now)
    default:
      return typeof value === 'string' ? value : JSON.stringify(value)
  }
}
