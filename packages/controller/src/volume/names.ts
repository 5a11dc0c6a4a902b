/** What claims and volumes are marked with here. The finalizers are upstream's; the provisioner is our own. */

export const finalizers = {
  /** The claim is in use by a pod. */
  claimProtection: 'kubernetes.io/pvc-protection',
  /** The volume is bound to a claim. */
  volumeProtection: 'kubernetes.io/pv-protection',
  /** What is stored in the volume has yet to be deleted. */
  provisioner: 'external-provisioner.volume.kubernetes.io/finalizer',
} as const

/** What a StorageClass names to have its volumes made by host-path-provisioner.ts. */
export const hostPath = 'dinghy.io/host-path'

export const isDefaultClass = 'storageclass.kubernetes.io/is-default-class'
