/**
 * Which PersistentVolume suits a claim. Pure; the binder asks it for claims that are bound at once, the scheduler for
 * those that wait for a node. Follows volume.FindMatchingVolume of component-helpers.
 */

import { compareQuantities } from './quantity.ts'
import { labelSelectorFrom, matchesLabels } from './selectors.ts'
import type { PersistentVolume, PersistentVolumeClaim } from './types.ts'

/** Whether the volume says that it is for this claim: bound to it, or reserved for it by name. */
export function isForClaim({ spec: { claimRef } }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { name, namespace, uid } = claim.metadata
  if (claimRef?.name !== name || claimRef.namespace !== namespace) return false
  return !claimRef.uid || claimRef.uid === uid
}

/**
 * One that is reserved for the claim; else the smallest free one that is good enough. Of equally large ones the one
 * with the fewest access modes: what many nodes could share is kept for those that need it.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
): PersistentVolume | undefined {
  const fitting = volumes.filter((volume) => misfit(volume, claim) === undefined)
  const free = fitting.filter(({ spec, status }) => spec.claimRef === undefined && status.phase === 'Available')
  const [best] = free.filter((volume) => isSelected(volume, claim)).sort(compareWaste)
  return fitting.find((volume) => isForClaim(volume, claim)) ?? best
}

/**
 * Why the claim cannot have the volume, in upstream's words; undefined if it can. A user who reserves a volume is free
 * of the claim's label selector, but of nothing that is checked here.
 */
export function misfit(volume: PersistentVolume, { spec: wanted }: PersistentVolumeClaim): string | undefined {
  const { accessModes = [], volumeMode = 'Filesystem', storageClassName = '' } = volume.spec
  if (volume.metadata.deletionTimestamp !== undefined) return 'the volume is being deleted'
  if (compareQuantities(sizeOf(volume), wanted.resources?.requests?.['storage'] ?? '0') < 0) {
    return 'requested PV is too small'
  }
  if (storageClassName !== (wanted.storageClassName ?? '')) return 'storageClassName does not match'
  if (volumeMode !== (wanted.volumeMode ?? 'Filesystem')) return 'incompatible volumeMode'
  const hasModes = (wanted.accessModes ?? []).every((mode) => accessModes.includes(mode))
  return hasModes ? undefined : 'incompatible accessMode'
}

function isSelected(volume: PersistentVolume, { spec: { selector } }: PersistentVolumeClaim): boolean {
  return selector === undefined || matchesLabels(labelSelectorFrom(selector), volume.metadata.labels)
}

function compareWaste(a: PersistentVolume, b: PersistentVolume): number {
  return compareQuantities(sizeOf(a), sizeOf(b)) || modesOf(a) - modesOf(b)
}

function sizeOf({ spec }: PersistentVolume): string {
  return spec.capacity?.['storage'] ?? '0'
}

function modesOf({ spec }: PersistentVolume): number {
  return spec.accessModes?.length ?? 0
}
