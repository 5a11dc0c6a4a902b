/** Claims, volumes and classes for the tests of this folder. */

import type { ObjectMeta, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@dinghy/shared/api/types'
import { makePod, metaOf } from './objects.ts'
import { hostPath } from '../volume/names.ts'

export function makeClaim(
  spec: Partial<PersistentVolumeClaim['spec']> = {},
  metadata: Partial<ObjectMeta> = {},
  phase = 'Pending',
): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metaOf('data', { uid: 'claim-1', ...metadata }),
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 'standard',
      ...spec,
    },
    status: { phase },
  }
}

export function makeVolume(
  name: string,
  spec: Partial<PersistentVolume['spec']> = {},
  metadata: Partial<ObjectMeta> = {},
  phase = 'Available',
): PersistentVolume {
  const { namespace: _clusterScoped, ...meta } = metaOf(name, metadata)
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: meta,
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, storageClassName: 'standard', ...spec },
    status: { phase },
  }
}

export function makeClass(
  name: string,
  more: Partial<StorageClass> = {},
  metadata: Partial<ObjectMeta> = {},
): StorageClass {
  const { namespace: _clusterScoped, ...meta } = metaOf(name, metadata)
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: meta,
    provisioner: hostPath,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...more,
  }
}

export function podUsing(claimName: string, node?: string, metadata: Partial<ObjectMeta> = {}): Pod {
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName } }]
  return makePod('user', { metadata, spec: { volumes }, ...(node ? { node } : {}) })
}
