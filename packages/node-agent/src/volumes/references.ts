/**
 * Which ConfigMaps and Secrets a pod needs, from everything in its spec that names one. Pure.
 */

import type { Pod } from '@dinghy/shared/api/types'

export interface References {
  configMaps: Set<string>
  secrets: Set<string>
}

export function referencesOf({ spec }: Pod): References {
  const configMaps = new Set<string>()
  const secrets = new Set<string>()
  const add = (set: Set<string>, name: string | undefined): unknown => name && set.add(name)
  for (const { configMap, secret, projected } of spec.volumes ?? []) {
    add(configMaps, configMap?.name)
    add(secrets, secret?.secretName)
    for (const source of projected?.sources ?? []) {
      add(configMaps, source.configMap?.name)
      add(secrets, source.secret?.name)
    }
  }
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
  for (const { env = [], envFrom = [] } of containers) {
    for (const { valueFrom } of env) {
      add(configMaps, valueFrom?.configMapKeyRef?.name)
      add(secrets, valueFrom?.secretKeyRef?.name)
    }
    for (const { configMapRef, secretRef } of envFrom) {
      add(configMaps, configMapRef?.name)
      add(secrets, secretRef?.name)
    }
  }
  return { configMaps, secrets }
}
