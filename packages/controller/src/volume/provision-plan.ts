/**
 * Which volume to make for a claim, and when. Pure.
 *
 *   once the binder has named us on the claim (it does so only if no volume that exists will do)
 *   and, if the class waits for a consumer, the scheduler has named a node
 *
 * A claim that one node at a time may use gets a volume that only the selected node reaches, as on a cluster whose
 * nodes have disks of their own: its pods follow it there for ever. One that many nodes may use (ReadWriteMany,
 * ReadOnlyMany) is reached from all of them; our nodes share one machine, so that is true. Follows the order and the
 * texts of sig-storage-lib-external-provisioner, which most provisioners are built with.
 */

import { PersistentVolumeClaims, apiVersionOf } from '@dinghy/shared/api/resources'
import type {
  Draft,
  Node,
  NodeSelectorTerm,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '@dinghy/shared/api/types'
import { annotations, finalizers, hostPath } from './names.ts'
import { directoryFor } from './volume-directory.ts'

export type NamedVolume = Draft<PersistentVolume> & { metadata: { name: string } }

export type ProvisionStep =
  | { do: 'create'; volume: NamedVolume }
  /** It can never be made as the claim asks. */
  | { do: 'refuse'; message: string }
  /** The selected node is no more: the scheduler must choose again. */
  | { do: 'reschedule' }

export interface ProvisionFacts {
  claim: PersistentVolumeClaim
  /** The claim's class, if it exists. */
  storageClass: StorageClass | undefined
  volumes: PersistentVolume[]
  nodes: readonly Node[]
  volumeRoot: string
}

/** undefined: nothing to do, or not yet. */
export function planProvisioning(facts: ProvisionFacts): ProvisionStep | undefined {
  const { claim, storageClass, volumes, nodes } = facts
  if (claim.spec.volumeName || claim.metadata.deletionTimestamp !== undefined) return undefined
  if (storageClass?.provisioner !== hostPath) return undefined
  // The binder writes this when no volume that exists will do, and not before it is time.
  const requested = claim.metadata.annotations?.[annotations.storageProvisioner]
  const nodeName = claim.metadata.annotations?.[annotations.selectedNode]
  const waitsForConsumer = storageClass.volumeBindingMode === 'WaitForFirstConsumer'
  if (requested !== hostPath || (waitsForConsumer && !nodeName)) return undefined
  if (volumes.some(({ metadata }) => metadata.name === volumeNameFor(claim))) return undefined

  const refusal = whyNot(claim)
  if (refusal !== undefined) return { do: 'refuse', message: refusal }
  const node = nodes.find(({ metadata }) => metadata.name === nodeName)
  if (nodeName && !node) return { do: 'reschedule' }
  return { do: 'create', volume: volumeFor(claim, storageClass, node, facts.volumeRoot) }
}

/** From the claim's uid: a second attempt finds the first one, and a claim of the same name never gets old data. */
function volumeNameFor({ metadata }: PersistentVolumeClaim): string {
  return `pvc-${metadata.uid}`
}

function whyNot({ spec }: PersistentVolumeClaim): string | undefined {
  if (spec.selector) return 'claim.Spec.Selector is not supported'
  if (spec.volumeMode === 'Block') return `${hostPath} makes directories: block volume provisioning is not supported`
  return undefined
}

function volumeFor(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  node: Node | undefined,
  volumeRoot: string,
): NamedVolume {
  const { name, namespace, uid, resourceVersion } = claim.metadata
  const { accessModes = [], resources, volumeMode = 'Filesystem' } = claim.spec
  const volumeName = volumeNameFor(claim)
  const policy = storageClass.reclaimPolicy ?? 'Delete'
  const terms = isShared(claim) ? [] : placesOf(storageClass, node)
  return {
    metadata: {
      name: volumeName,
      annotations: { [annotations.provisionedBy]: hostPath },
      ...(policy === 'Delete' ? { finalizers: [finalizers.provisioner] } : {}),
    },
    spec: {
      accessModes,
      capacity: { storage: resources?.requests?.['storage'] ?? '0' },
      claimRef: {
        apiVersion: apiVersionOf(PersistentVolumeClaims),
        kind: PersistentVolumeClaims.kind,
        name,
        namespace: namespace ?? '',
        uid,
        resourceVersion,
      },
      // "Directory": if it has been removed by hand, its data is lost, and pods must not start as if it were not.
      hostPath: { path: directoryFor(volumeRoot, volumeName), type: 'Directory' },
      ...(storageClass.mountOptions ? { mountOptions: storageClass.mountOptions } : {}),
      ...(terms.length > 0 ? { nodeAffinity: { required: { nodeSelectorTerms: terms } } } : {}),
      persistentVolumeReclaimPolicy: policy,
      storageClassName: storageClass.metadata.name,
      volumeMode,
    },
  }
}

function isShared({ spec }: PersistentVolumeClaim): boolean {
  return (spec.accessModes ?? []).some((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany')
}

/** The node; without one, wherever the class allows; none at all means everywhere. */
function placesOf(storageClass: StorageClass, node: Node | undefined): NodeSelectorTerm[] {
  if (node) {
    const hostname = node.metadata.labels?.['kubernetes.io/hostname'] ?? node.metadata.name
    return [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [hostname] }] }]
  }
  return (storageClass.allowedTopologies ?? []).map(({ matchLabelExpressions = [] }) => ({
    matchExpressions: matchLabelExpressions.map(({ key, values }) => ({ key, operator: 'In', values })),
  }))
}
