/**
 * From one version of a custom resource to another. Without a webhook all versions are the same but for their name, and
 * what one of them does not know is pruned by whoever asked.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'

export interface Converter {
  /** As many objects as it was given, in the same order. Those that are in this version already are left alone. */
  convert(objects: KubernetesObject[], apiVersion: string): KubernetesObject[] | Promise<KubernetesObject[]>
}

export const noConversion = {
  convert: (objects: KubernetesObject[], apiVersion: string) => objects.map((object) => ({ ...object, apiVersion })),
} satisfies Converter
