/**
 * What a pod needs of its namespace, by name: Secrets, ConfigMaps, claims, its service account. A kubelet may read
 * these, and no others. Follows pkg/api/pod's visitors, as upstream's node authorizer uses them.
 */

import type { Pod } from '@dinghy/shared/api/types'

export type ReferencedKind = 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'serviceaccounts'

export function refersTo(pod: Pod, kind: ReferencedKind, name: string): boolean {
  return namesOf[kind](pod).includes(name)
}

type Names = (string | undefined)[]
const namesOf: Record<ReferencedKind, (pod: Pod) => Names> = {
  secrets: secretsOf,
  configmaps: configMapsOf,
  persistentvolumeclaims: claimsOf,
  serviceaccounts: ({ spec }) => [spec.serviceAccountName ?? 'default'],
}

type Container = Pick<Pod['spec']['containers'][number], 'env' | 'envFrom'>

function containersOf({ spec }: Pod): Container[] {
  return [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])]
}

function secretsOf(pod: Pod): Names {
  const { spec } = pod
  return [
    ...(spec.imagePullSecrets ?? []).map(({ name }) => name),
    ...containersOf(pod).flatMap(({ env = [], envFrom = [] }) => [
      ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
      ...envFrom.map(({ secretRef }) => secretRef?.name),
    ]),
    ...(spec.volumes ?? []).flatMap((volume) => [
      volume.secret?.secretName,
      volume.azureFile?.secretName,
      ...(volume.projected?.sources ?? []).map(({ secret }) => secret?.name),
      // Drivers name the one with their password in one of two ways.
      ...Object.values(volume as object).map(credentialsOf),
    ]),
  ]
}

function credentialsOf(source: unknown): string | undefined {
  if (typeof source !== 'object' || source === null) return undefined
  const { secretRef, nodePublishSecretRef } = source as Record<string, { name?: string } | undefined>
  return secretRef?.name ?? nodePublishSecretRef?.name
}

function configMapsOf(pod: Pod): Names {
  return [
    ...containersOf(pod).flatMap(({ env = [], envFrom = [] }) => [
      ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
      ...envFrom.map(({ configMapRef }) => configMapRef?.name),
    ]),
    ...(pod.spec.volumes ?? []).flatMap((volume) => [
      volume.configMap?.name,
      ...(volume.projected?.sources ?? []).map(({ configMap }) => configMap?.name),
    ]),
  ]
}

function claimsOf({ metadata, spec }: Pod): Names {
  return (spec.volumes ?? []).map(({ name, persistentVolumeClaim, ephemeral }) =>
    ephemeral ? `${metadata.name}-${name}` : persistentVolumeClaim?.claimName,
  )
}

/** The first kind of things that a pod refers to at all, besides its service account. */
export function firstReference(pod: Pod): string | undefined {
  if (secretsOf(pod).some(Boolean)) return 'secrets'
  if (configMapsOf(pod).some(Boolean)) return 'configmaps'
  return (pod.spec.volumes ?? []).some((volume) => volume.persistentVolumeClaim) ? 'persistentvolumeclaims' : undefined
}
