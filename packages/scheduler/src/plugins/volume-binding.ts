/**
 * VolumeBinding: a pod can only run where its volumes can be.
 *
 *   claim bound ──────────────────────► the node must satisfy the volume's node affinity
 *   unbound, binding Immediate ───────► wait: the volume controller binds it, whatever the node
 *   unbound, WaitForFirstConsumer ────► the node decides: a free volume that fits here, or one to be made here
 *
 * The filter and the plan are pure; volume-binder.ts carries the plan out before the pod is bound.
 */

import { matchesNodeSelector } from '@dinghy/shared/api/node-selector'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@dinghy/shared/api/types'
import { findVolume } from '@dinghy/shared/api/volume-matching'
import { nodeIn, unresolvable, type Plugin, type Refusal } from '../framework.ts'
import type { Lookups } from '../snapshot.ts'

export const volumeBinding: Plugin = {
  name: 'VolumeBinding',

  preFilter(pod, { lookups }) {
    const names = claimNames(pod)
    if (names.length === 0) return undefined
    const claims: PersistentVolumeClaim[] = []
    for (const { name, ephemeral } of names) {
      const claim = lookups.claim(pod.metadata.namespace ?? '', name)
      if (claim === undefined) {
        const missing = `persistentvolumeclaim "${name}" not found`
        return unresolvable(
          ephemeral ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"` : missing,
        )
      }
      if (claim.metadata.deletionTimestamp) return unresolvable(`persistentvolumeclaim "${name}" is being deleted`)
      claims.push(claim)
    }
    const unbound = claims.filter((claim) => !isBound(claim))
    if (unbound.some((claim) => !waitsForConsumer(claim, lookups))) {
      return unresolvable('pod has unbound immediate PersistentVolumeClaims')
    }
    return ({ node }) => checkBound(claims.filter(isBound), node, lookups) ?? checkUnbound(unbound, node, lookups)
  },

  isHelpedBy: (event) => event.type === 'VolumeChanged' || nodeIn(event) !== undefined,
}

/** What to do for the pod's unbound claims now that its node is known. */
export interface VolumePlan {
  bind: { claim: PersistentVolumeClaim; volume: PersistentVolume }[]
  provision: PersistentVolumeClaim[]
}

export function planVolumes(pod: Pod, node: Node, lookups: Lookups): VolumePlan {
  const claims = claimNames(pod).flatMap(({ name }) => lookups.claim(pod.metadata.namespace ?? '', name) ?? [])
  return plan(
    claims.filter((claim) => !isBound(claim)),
    node,
    lookups,
  )
}

export function isBound(claim: PersistentVolumeClaim): boolean {
  return Boolean(claim.spec.volumeName) && claim.status.phase === 'Bound'
}

function claimNames(pod: Pod): { name: string; ephemeral: boolean }[] {
  const names: { name: string; ephemeral: boolean }[] = []
  for (const { name, persistentVolumeClaim, ephemeral } of pod.spec.volumes ?? []) {
    if (persistentVolumeClaim) names.push({ name: persistentVolumeClaim.claimName, ephemeral: false })
    if (ephemeral) names.push({ name: `${pod.metadata.name}-${name}`, ephemeral: true })
  }
  return names
}

function classOf(claim: PersistentVolumeClaim, lookups: Lookups): StorageClass | undefined {
  const { storageClassName } = claim.spec
  return storageClassName ? lookups.storageClass(storageClassName) : undefined
}

function waitsForConsumer(claim: PersistentVolumeClaim, lookups: Lookups): boolean {
  return classOf(claim, lookups)?.volumeBindingMode === 'WaitForFirstConsumer'
}

function checkBound(claims: readonly PersistentVolumeClaim[], node: Node, lookups: Lookups): Refusal | undefined {
  for (const { spec } of claims) {
    const volume = lookups.volume(spec.volumeName ?? '')
    if (volume === undefined) {
      return unresolvable('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)')
    }
    if (!isReachableFrom(volume, node)) return unresolvable('node(s) had volume node affinity conflict')
  }
  return undefined
}

function checkUnbound(claims: readonly PersistentVolumeClaim[], node: Node, lookups: Lookups): Refusal | undefined {
  const { bind, provision } = plan(claims, node, lookups)
  if (provision.some((claim) => isPromisedElsewhere(claim, node))) {
    return unresolvable('node(s) had volume node affinity conflict')
  }
  if (bind.length + provision.length < claims.length) {
    return unresolvable("node(s) didn't find available persistent volumes to bind")
  }
  return undefined
}

/** A volume that exists is preferred to one that would have to be made; each volume serves one claim. */
function plan(claims: readonly PersistentVolumeClaim[], node: Node, lookups: Lookups): VolumePlan {
  const result: VolumePlan = { bind: [], provision: [] }
  const taken = new Set<string>()
  for (const claim of claims) {
    const candidates = lookups.volumes().filter((one) => !taken.has(one.metadata.name) && isReachableFrom(one, node))
    const volume = findVolume(claim, candidates)
    if (volume !== undefined) {
      taken.add(volume.metadata.name)
      result.bind.push({ claim, volume })
    } else if (canProvision(classOf(claim, lookups), node)) {
      result.provision.push(claim)
    }
  }
  return result
}

function isReachableFrom(volume: PersistentVolume, node: Node): boolean {
  const required = volume.spec.nodeAffinity?.required
  return required === undefined || matchesNodeSelector(required, node)
}

function canProvision(storageClass: StorageClass | undefined, node: Node): boolean {
  if (storageClass === undefined || storageClass.provisioner === 'kubernetes.io/no-provisioner') return false
  const topologies = storageClass.allowedTopologies ?? []
  const labels = node.metadata.labels ?? {}
  return (
    topologies.length === 0 ||
    topologies.some(({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.every(({ key, values }) => values.includes(labels[key] ?? '')),
    )
  )
}

export const selectedNode = 'volume.kubernetes.io/selected-node'

/** The provisioner has been told another node, and may be at work. */
function isPromisedElsewhere(claim: PersistentVolumeClaim, node: Node): boolean {
  const promised = claim.metadata.annotations?.[selectedNode]
  return promised !== undefined && promised !== node.metadata.name
}
