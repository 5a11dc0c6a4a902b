/** What claims, volumes and classes are marked with. All but the provisioner's name are upstream's. */

export const finalizers = {
  /** The claim is in use by a pod. */
  claimProtection: 'kubernetes.io/pvc-protection',
  /** The volume is bound to a claim. */
  volumeProtection: 'kubernetes.io/pv-protection',
  /** What is stored in the volume has yet to be deleted. */
  provisioner: 'external-provisioner.volume.kubernetes.io/finalizer',
} as const

export const annotations = {
  /** On a claim: it has been bound once, and gets no other volume any more. */
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  /** On either end: the binder has chosen the other, not a user. */
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  /** On a volume: who made it, and may remove it. */
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  /** On a claim: who is to make its volume. Written by the binder, awaited by the provisioner of that name. */
  storageProvisioner: 'volume.kubernetes.io/storage-provisioner',
  /** The same by its older name, which some provisioners still read. */
  betaStorageProvisioner: 'volume.beta.kubernetes.io/storage-provisioner',
  /** On a claim: the node of its first pod. Written by the scheduler. */
  selectedNode: 'volume.kubernetes.io/selected-node',
  /** On a class: claims that name no class get this one. */
  isDefaultClass: 'storageclass.kubernetes.io/is-default-class',
} as const

/** What a StorageClass names to have its volumes made by provisioner.ts. */
export const hostPath = 'dinghy.io/host-path'
