/**
 * Objects as a meta.k8s.io Table: what `kubectl get` asks for, so that the server decides what is worth showing.
 *
 * Each row carries its object in the form ?includeObject= asks for; by default its metadata only, which is what kubectl
 * needs for labels, sorting and the name it prints while watching.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Cell, Column, ResourceDefinition } from '../registry/resource-definition.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

export interface Table {
  kind: 'Table'
  apiVersion: 'meta.k8s.io/v1'
  metadata: TableMeta
  /** Absent from all but the first event of a watch. */
  columnDefinitions?: Omit<Column, 'cell'>[]
  rows: { cells: Cell[]; object?: object }[]
}

export interface TableMeta {
  resourceVersion?: string
  continue?: string
  remainingItemCount?: number
}

export function toTable(
  definition: Pick<ResourceDefinition, 'columns'>,
  list: { metadata: TableMeta; items: readonly KubernetesObject[] },
  options: { now: number; includeObject?: IncludeObject; withDefinitions?: boolean },
): Table {
  const { now, includeObject = 'Metadata', withDefinitions = true } = options
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: list.metadata,
    ...(withDefinitions ? { columnDefinitions: definition.columns.map(describe) } : {}),
    rows: list.items.map((object) => ({
      cells: definition.columns.map((column) => column.cell(object, now)),
      ...(includeObject !== 'None' ? { object: includeObject === 'Object' ? object : partial(object) } : {}),
    })),
  }
}

function describe({ name, type, format, description, priority }: Column): Omit<Column, 'cell'> {
  return { name, type, format, description, priority }
}

function partial({ metadata }: KubernetesObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
}
