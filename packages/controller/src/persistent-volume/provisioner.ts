/**
 * Volumes on demand: a directory of this machine for each claim. All nodes of the cluster are on this machine, so such a
 * volume can be reached from every one of them; its size is a promise that nobody enforces.
 * The directory itself is made by the node that first mounts it, and removed here.
 */

import { rm } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { PersistentVolumeClaims, apiVersionOf } from '@dinghy/shared/api/resources'
import type { Draft, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { boundByController, ownProvisioner, provisionedBy } from './claim-plan.ts'

/** Named after the claim's uid: made twice is refused by the server. */
export function volumeFor(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  directory: string,
): Draft<PersistentVolume> {
  const { name, namespace, uid } = claim.metadata
  const { accessModes = [], volumeMode = 'Filesystem', resources } = claim.spec
  const volumeName = `pvc-${uid}`
  return {
    metadata: { name: volumeName, annotations: { [provisionedBy]: ownProvisioner, [boundByController]: 'yes' } },
    spec: {
      capacity: { storage: resources?.requests?.['storage'] ?? '0' },
      accessModes,
      volumeMode,
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata.name,
      ...(storageClass.mountOptions ? { mountOptions: storageClass.mountOptions } : {}),
      claimRef: {
        apiVersion: apiVersionOf(PersistentVolumeClaims),
        kind: PersistentVolumeClaims.kind,
        name,
        namespace: namespace ?? '',
        uid,
      },
      hostPath: { path: join(directory, `${namespace}_${name}_${uid}`), type: 'DirectoryOrCreate' },
    },
  }
}

/** The class that claims get which name none. */
export function defaultStorageClass(): Draft<StorageClass> {
  return {
    metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: ownProvisioner,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
  }
}

/** Whatever an object says, nothing outside of the directory that is ours is ever removed. */
export async function removeData(volume: PersistentVolume, directory: string): Promise<void> {
  const path = volume.spec.hostPath?.path
  if (path === undefined || !isInside(path, directory)) {
    throw new Error(`${path ?? 'this volume'} is not a directory below ${directory}: not removed`)
  }
  await rm(path, { recursive: true, force: true })
}

export function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path)
  return way !== '' && !isAbsolute(way) && way !== '..' && !way.startsWith('../')
}
