/**
 * What a kind's file says about it, on top of what the schema says of every kind.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ScalePaths, StorageLocation, Strategy } from '../resource-definition.ts'

export interface KindRules<T extends KubernetesObject = KubernetesObject> {
  strategy?: Strategy<T>
  /** An absent field reads as "". */
  selectableFields?: Record<string, ReadField<T>>
  scale?: ScalePaths
  deprecation?: string
  storage?: StorageLocation
}

/**
 * The type of a method, which may ask for more than it is sure to get: rules only ever meet objects of their own kind.
 */
type ReadField<T> = { read(object: T): string | undefined }['read']
