/**
 * PersistentVolumeClaimResize: a claim may ask for more only when it is bound and its storage class says that its
 * volumes can grow.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { compareQuantities } from '@dinghy/shared/api/quantity'
import { StorageClasses } from '@dinghy/shared/api/resources'
import type { PersistentVolumeClaim } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

export function persistentVolumeClaimResize(reader: Reader): AdmissionPlugin {
  return {
    name: 'PersistentVolumeClaimResize',
    validate(request) {
      if (request.operation !== 'UPDATE' || !isAbout(request, '', 'persistentvolumeclaims')) return
      const next = request.object as PersistentVolumeClaim
      const previous = request.previous as PersistentVolumeClaim
      if (compareQuantities(sizeOf(next), sizeOf(previous)) <= 0) return
      const refuse = (message: string) => forbidden('', 'persistentvolumeclaims', request.name, message)
      if (previous.status?.phase !== 'Bound') throw refuse('Only bound persistent volume claims can be expanded')
      if (canGrow(next, previous, reader)) return
      throw refuse(
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      )
    },
  }
}

function sizeOf({ spec }: PersistentVolumeClaim): string {
  return spec.resources?.requests?.['storage'] ?? '0'
}

function classOf({ metadata, spec }: PersistentVolumeClaim): string {
  return metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec.storageClassName ?? ''
}

function canGrow(next: PersistentVolumeClaim, previous: PersistentVolumeClaim, reader: Reader): boolean {
  const name = classOf(next)
  if (name === '' || name !== classOf(previous)) return false
  return reader.get(StorageClasses, undefined, name)?.allowVolumeExpansion ?? false
}
