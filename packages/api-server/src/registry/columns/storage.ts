/**
 * Columns of storage: PersistentVolumes, claims, classes and what CSI drivers register.
 */

import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
} from '@dinghy/shared/api/types'
import type { Column } from '../resource-definition.ts'
import { ageColumn, column, count, nameColumn, wide } from './column.ts'

export const persistentVolumeColumns: Column[] = [
  nameColumn,
  column<PersistentVolume>('Capacity', 'How much it holds.', ({ spec }) => spec?.capacity?.storage ?? '0'),
  column<PersistentVolume>('Access Modes', 'How it may be mounted.', ({ spec }) =>
    formatAccessModes(spec?.accessModes),
  ),
  column<PersistentVolume>('Reclaim Policy', 'What becomes of it when its claim is gone.', ({ spec }) => {
    return spec?.persistentVolumeReclaimPolicy ?? ''
  }),
  column<PersistentVolume>('Status', 'Available, Bound, Released or Failed.', ({ metadata, status }) => {
    return metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')
  }),
  column<PersistentVolume>('Claim', 'The claim it is bound to.', ({ spec }) => {
    return spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : ''
  }),
  column<PersistentVolume>('StorageClass', 'Its class.', ({ spec, metadata }) =>
    storageClass(metadata.annotations, spec?.storageClassName),
  ),
  column<PersistentVolume>('VolumeAttributesClass', 'Its attributes class.', ({ spec }) => attributesClass(spec)),
  column<PersistentVolume>('Reason', 'Why it is in this state.', ({ status }) => status?.reason ?? ''),
  ageColumn,
  wide<PersistentVolume>('VolumeMode', 'Filesystem or Block.', ({ spec }) => spec?.volumeMode ?? '<unset>'),
]

export const persistentVolumeClaimColumns: Column[] = [
  nameColumn,
  column<PersistentVolumeClaim>('Status', 'Pending, Bound or Lost.', ({ metadata, status }) => {
    return metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')
  }),
  column<PersistentVolumeClaim>('Volume', 'The volume it is bound to.', ({ spec }) => spec?.volumeName ?? ''),
  column<PersistentVolumeClaim>('Capacity', 'How much it holds.', ({ spec, status }) => {
    return spec?.volumeName ? (status?.capacity?.storage ?? '0') : ''
  }),
  column<PersistentVolumeClaim>('Access Modes', 'How it may be mounted.', ({ spec, status }) => {
    return spec?.volumeName ? formatAccessModes(status?.accessModes) : ''
  }),
  column<PersistentVolumeClaim>('StorageClass', 'Its class.', ({ spec, metadata }) =>
    storageClass(metadata.annotations, spec?.storageClassName),
  ),
  column<PersistentVolumeClaim>('VolumeAttributesClass', 'Its attributes class.', ({ spec }) => attributesClass(spec)),
  ageColumn,
  wide<PersistentVolumeClaim>('VolumeMode', 'Filesystem or Block.', ({ spec }) => spec?.volumeMode ?? '<unset>'),
]

const defaultClass = 'storageclass.kubernetes.io/is-default-class'

export const storageClassColumns: Column[] = [
  {
    ...nameColumn,
    cell: ({ metadata }) =>
      metadata.annotations?.[defaultClass] === 'true' ? `${metadata.name} (default)` : metadata.name,
  },
  column<StorageClass>('Provisioner', 'Who makes its volumes.', ({ provisioner }) => provisioner),
  column<StorageClass>(
    'ReclaimPolicy',
    'What becomes of released volumes.',
    ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
  ),
  column<StorageClass>('VolumeBindingMode', 'When claims are bound.', ({ volumeBindingMode }) => {
    return volumeBindingMode ?? 'Immediate'
  }),
  {
    ...column<StorageClass>(
      'AllowVolumeExpansion',
      'Whether volumes can grow.',
      (c) => c.allowVolumeExpansion ?? false,
    ),
    type: 'boolean',
  },
  ageColumn,
]

export const volumeAttachmentColumns: Column[] = [
  nameColumn,
  column<VolumeAttachment>('Attacher', 'The driver that attaches it.', ({ spec }) => spec?.attacher ?? ''),
  column<VolumeAttachment>('PV', 'The volume.', ({ spec }) => spec?.source.persistentVolumeName ?? ''),
  column<VolumeAttachment>('Node', 'Where it is attached.', ({ spec }) => spec?.nodeName ?? ''),
  {
    ...column<VolumeAttachment>('Attached', 'Whether it is.', ({ status }) => status?.attached ?? false),
    type: 'boolean',
  },
  ageColumn,
]

export const csiDriverColumns: Column[] = [
  nameColumn,
  column<CSIDriver>(
    'AttachRequired',
    'Whether volumes must be attached first.',
    ({ spec }) => spec?.attachRequired ?? true,
  ),
  column<CSIDriver>(
    'PodInfoOnMount',
    'Whether mounts carry pod information.',
    ({ spec }) => spec?.podInfoOnMount ?? false,
  ),
  column<CSIDriver>('StorageCapacity', 'Whether it reports capacity.', ({ spec }) => spec?.storageCapacity ?? false),
  column<CSIDriver>('TokenRequests', 'Tokens it asks for.', ({ spec }) => {
    return (spec?.tokenRequests ?? []).map((request) => request.audience || '<default>').join(',') || '<unset>'
  }),
  column<CSIDriver>(
    'RequiresRepublish',
    'Whether mounts are refreshed.',
    ({ spec }) => spec?.requiresRepublish ?? false,
  ),
  column<CSIDriver>('Modes', 'Kinds of volumes it offers.', ({ spec }) => {
    return (spec?.volumeLifecycleModes ?? ['Persistent']).join(',')
  }),
  ageColumn,
]

export const csiNodeColumns: Column[] = [
  nameColumn,
  count<CSINode>('Drivers', 'Drivers on the node.', ({ spec }) => spec?.drivers?.length ?? 0),
  ageColumn,
]

export const csiStorageCapacityColumns: Column[] = [
  nameColumn,
  column<CSIStorageCapacity>('StorageClassName', 'The class.', ({ storageClassName }) => storageClassName),
  column<CSIStorageCapacity>('Capacity', 'What is left.', ({ capacity }) => capacity ?? ''),
]

const shortModes: [string, string][] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
]

function formatAccessModes(modes: string[] | undefined): string {
  return shortModes
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',')
}

/** The annotation is older than the field, and still wins. */
function storageClass(annotations: Record<string, string> | undefined, field: string | undefined): string {
  return annotations?.['volume.beta.kubernetes.io/storage-class'] ?? field ?? ''
}

function attributesClass(spec: { volumeAttributesClassName?: string } | undefined): string {
  return spec?.volumeAttributesClassName ?? '<unset>'
}
