/**
 * The identity of a StatefulSet's pod: its name with an ordinal, its host name, and its own volumes. Pure.
 *
 * `web-1` is always `web-1`: whatever node it moves to, it comes back under the same name and with the claims that
 * were made for it (`data-web-1`). That is all that makes a set "stateful"; the data itself is in the volumes.
 */

import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { StatefulSets } from '@dinghy/shared/api/resources'
import type { Draft, PersistentVolumeClaim, Pod, PodTemplateSpec, StatefulSet } from '@dinghy/shared/api/types'
import { revisionHashLabel } from '../history/revision-history.ts'

const podNameLabel = 'statefulset.kubernetes.io/pod-name'
const podIndexLabel = 'apps.kubernetes.io/pod-index'

export function podNameOf(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`
}

/** undefined for a pod that is no member by its name. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const { name } = pod.metadata
  const prefix = `${set.metadata.name}-`
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : undefined
}

/** The ordinals that the set wants: `replicas` of them, from spec.ordinals.start on. */
export function wantedOrdinals(set: StatefulSet): number[] {
  const start = set.spec.ordinals?.start ?? 0
  return Array.from({ length: set.spec.replicas ?? 1 }, (_, index) => start + index)
}

/** `template` is that of the revision named `revision`, which need not be the set's present one. */
export function statefulPod(
  set: StatefulSet,
  ordinal: number,
  revision: string,
  template: PodTemplateSpec,
): Draft<Pod> {
  const { annotations, finalizers } = template.metadata ?? {}
  const name = podNameOf(set, ordinal)
  const claimVolumes = (set.spec.volumeClaimTemplates ?? []).map((claim) => ({
    name: claim.metadata?.name ?? '',
    persistentVolumeClaim: { claimName: claimNameOf(claim, name) },
  }))
  const isReplaced = (volume: { name: string }) => claimVolumes.some((one) => one.name === volume.name)
  const spec = template.spec ?? { containers: [] }
  const volumes = [...claimVolumes, ...(spec.volumes ?? []).filter((volume) => !isReplaced(volume))]
  const { serviceName } = set.spec
  return {
    metadata: {
      name,
      namespace: set.metadata.namespace ?? '',
      labels: { ...template.metadata?.labels, ...identityLabels(set, ordinal), [revisionHashLabel]: revision },
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [ownerReferenceTo(set, StatefulSets)],
    },
    spec: {
      ...spec,
      ...(volumes.length > 0 ? { volumes } : {}),
      hostname: name,
      ...(serviceName ? { subdomain: serviceName } : {}),
    },
  }
}

export function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [podNameLabel]: podNameOf(set, ordinal), [podIndexLabel]: String(ordinal) }
}

/** The claims of one ordinal, as they are made when they don't exist yet. */
export function claimsFor(set: StatefulSet, ordinal: number): Draft<PersistentVolumeClaim>[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const { labels, annotations } = template.metadata ?? {}
    return {
      metadata: {
        name: claimNameOf(template, podNameOf(set, ordinal)),
        namespace: set.metadata.namespace ?? '',
        labels: { ...labels, ...set.spec.selector.matchLabels },
        ...(annotations ? { annotations } : {}),
      },
      spec: template.spec ?? {},
    }
  })
}

function claimNameOf(template: { metadata?: { name?: string } }, podName: string): string {
  return `${template.metadata?.name}-${podName}`
}
