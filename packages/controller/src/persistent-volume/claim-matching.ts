/** Which volume suits a claim. Pure. Follows volume.FindMatchingVolume. */

import { compareQuantities } from '@dinghy/shared/api/quantity'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { PersistentVolume, PersistentVolumeClaim } from '@dinghy/shared/api/types'

/** Whether the volume says that it is for this claim: bound to it, or reserved for it by name. */
export function isForClaim({ spec: { claimRef } }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { name, namespace, uid } = claim.metadata
  if (claimRef?.name !== name || claimRef.namespace !== namespace) return false
  return !claimRef.uid || claimRef.uid === uid
}

/** One that is reserved for the claim; else the smallest free one that is good enough. */
export function findVolume(claim: PersistentVolumeClaim, volumes: PersistentVolume[]): PersistentVolume | undefined {
  const fitting = volumes.filter((volume) => fits(volume, claim))
  const free = fitting.filter(({ spec, status }) => spec.claimRef === undefined && status.phase === 'Available')
  const selected = free.filter((volume) => isSelected(volume, claim))
  const smallestFirst = selected.sort((a, b) => compareQuantities(sizeOf(a), sizeOf(b)))
  return fitting.find((volume) => isForClaim(volume, claim)) ?? smallestFirst[0]
}

/** What holds for reserved volumes as well: a user may reserve one, but not make it larger. */
export function fits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { accessModes = [], volumeMode = 'Filesystem', storageClassName = '' } = volume.spec
  const wanted = claim.spec
  return (
    volume.metadata.deletionTimestamp === undefined &&
    storageClassName === (wanted.storageClassName ?? '') &&
    volumeMode === (wanted.volumeMode ?? 'Filesystem') &&
    (wanted.accessModes ?? []).every((mode) => accessModes.includes(mode)) &&
    compareQuantities(sizeOf(volume), wanted.resources?.requests?.['storage'] ?? '0') >= 0
  )
}

function isSelected(volume: PersistentVolume, { spec: { selector } }: PersistentVolumeClaim): boolean {
  return selector === undefined || matchesLabels(labelSelectorFrom(selector), volume.metadata.labels)
}

function sizeOf({ spec }: PersistentVolume): string {
  return spec.capacity?.['storage'] ?? '0'
}
