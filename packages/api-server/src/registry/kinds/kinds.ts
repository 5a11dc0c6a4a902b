// Which rules belong to which resource. A kind's file exports one KindRules; this is the only place that lists them.

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition, ScalePaths, StorageLocation, Strategy } from '../resource-definition.ts'

export interface KindRules<T extends KubernetesObject = KubernetesObject> {
  strategy?: Strategy<T>
  selectableFields?: ResourceDefinition['selectableFields']
  scale?: ScalePaths
  storage?: StorageLocation
}

const rules: Record<string, KindRules> = {}

export function rulesOf(group: string, plural: string): KindRules {
  return rules[`${group}/${plural}`] ?? {}
}
