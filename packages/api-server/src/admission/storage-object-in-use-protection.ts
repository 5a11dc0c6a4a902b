/**
 * StorageObjectInUseProtection: claims and volumes are born with the finalizer that keeps them while they are in use,
 * so that there is no moment in which one could be deleted under a pod. The controllers of the same names take it away.
 */

import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const finalizers: Record<string, string> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
}

export function storageObjectInUseProtection(): AdmissionPlugin {
  return {
    name: 'StorageObjectInUseProtection',
    admit(request) {
      const { plural } = request.definition
      const finalizer = finalizers[plural]
      if (finalizer === undefined || request.operation !== 'CREATE' || !isAbout(request, '', plural)) return
      const metadata = request.object?.metadata
      if (!metadata || metadata.finalizers?.includes(finalizer)) return
      metadata.finalizers = [...(metadata.finalizers ?? []), finalizer]
    },
  }
}
