/**
 * The building blocks of every kind's columns: how a column is declared, and the cells that many kinds share.
 */

import { humanDuration } from '@dinghy/shared/api/duration'
import { selectorToString, labelSelectorFrom } from '@dinghy/shared/api/selectors'
import type { KubernetesObject, LabelSelector, PodTemplateSpec } from '@dinghy/shared/api/types'
import type { Cell, Column } from '../resource-definition.ts'

type ReadCell<T> = (object: T, now: number) => Cell

/** A column that is always shown. */
export function column<T extends KubernetesObject>(name: string, description: string, cell: ReadCell<T>): Column {
  return { name, description, type: 'string', format: '', priority: 0, cell }
}

/** A column of whole numbers, which clients may align and sort as such. */
export function count<T extends KubernetesObject>(name: string, description: string, cell: ReadCell<T>): Column {
  return { ...column(name, description, cell), type: 'integer' }
}

/** Shown only with `-o wide`. */
export function wide<T extends KubernetesObject>(name: string, description: string, cell: ReadCell<T>): Column {
  return { ...column(name, description, cell), priority: 1 }
}

export const nameColumn: Column = {
  ...column('Name', 'The name, unique among the objects of its kind in a namespace.', ({ metadata }) => metadata.name),
  format: 'name',
}

export const ageColumn = column('Age', 'How long ago the object was created.', ({ metadata }, now) =>
  age(metadata.creationTimestamp, now),
)

export const createdAtColumn: Column = {
  ...column('Created At', 'When the object was created.', ({ metadata }) => metadata.creationTimestamp),
  type: 'date',
}

/** "5m", or "<unknown>" where there is no time. */
export function age(timestamp: string | undefined, now: number): string {
  return timestamp ? humanDuration(now - Date.parse(timestamp)) : '<unknown>'
}

export function orNone(text: string | undefined): string {
  return text || '<none>'
}

/** `a=1,b=2`, sorted */
export function formatLabels(labels: Record<string, string> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`)
  return orNone(pairs.sort().join(','))
}

export function formatSelector(selector: LabelSelector | undefined): string {
  return selector === undefined ? '<none>' : orNone(selectorToString(labelSelectorFrom(selector)))
}

/** Containers and images of the pod template at this path: what every workload shows with `-o wide`. */
export function containerColumns(...path: string[]): Column[] {
  const list = (object: KubernetesObject, field: 'name' | 'image') => {
    const template = path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object)
    const containers = (template as PodTemplateSpec | undefined)?.spec?.containers ?? []
    return containers.map((container) => container[field] ?? '').join(',')
  }
  return [
    wide('Containers', 'Names of the containers in the template.', (object) => list(object, 'name')),
    wide('Images', 'Images of the containers in the template.', (object) => list(object, 'image')),
  ]
}

/** The first three of them, and how many more there are. */
export function firstThree(items: string[], total = items.length): string {
  const shown = items.slice(0, 3).join(',')
  return total > 3 ? `${shown} + ${total - 3} more...` : shown
}
