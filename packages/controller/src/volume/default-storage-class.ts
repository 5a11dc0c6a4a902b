/**
 * The StorageClass "standard": claims that name no class get it, and with it a volume of provisioner.ts. Made at
 * start if there is none of that name; whoever deletes it has peace until the next start. It is the default only if there
 * is no other: of two defaults the newer one would count, and that must not be ours by accident.
 *
 * New claims get their class from the api-server's admission. Those made before there was a default get it here, as
 * upstream's binder does ("retroactive default storage class").
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '@dinghy/shared/api/resources'
import type { Draft, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { findVolume } from '@dinghy/shared/api/volume-matching'
import { runController, runWorkers, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import type { ControllerDeps } from '../deps.ts'
import { annotations, hostPath } from './names.ts'

const className = 'standard'

/** What to create, if anything. */
export function missingClass(classes: readonly StorageClass[]): Draft<StorageClass> | undefined {
  if (classes.some(({ metadata }) => metadata.name === className)) return undefined
  const isDefault = String(defaultClass(classes) === undefined)
  return {
    metadata: { name: className, annotations: { [annotations.isDefaultClass]: isDefault } },
    provisioner: hostPath,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
  }
}

/** Of several the newest counts, as in the api-server. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const marked = classes.filter(({ metadata }) => metadata.annotations?.[annotations.isDefaultClass] === 'true')
  const [newest] = marked.sort(({ metadata: a }, { metadata: b }) => {
    return b.creationTimestamp.localeCompare(a.creationTimestamp) || a.name.localeCompare(b.name)
  })
  return newest
}

/** The class that a claim should be given now. "" has been asked for: it means none, and stays. */
export function lateClass(
  { metadata, spec }: PersistentVolumeClaim,
  classes: readonly StorageClass[],
): string | undefined {
  const hasAsked = spec.storageClassName !== undefined || spec.volumeName || metadata.deletionTimestamp !== undefined
  return hasAsked ? undefined : defaultClass(classes)?.metadata.name
}

export async function startDefaultStorageClass(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log, flags } = deps
  const classes = informers.for(StorageClasses)
  const claims = informers.for(PersistentVolumeClaims)
  const volumes = informers.for(PersistentVolumes)

  async function create(_key: string, { client, signal }: ReconcileContext): Promise<void> {
    const missing = missingClass(classes.lister.list())
    try {
      if (missing) await client.create(StorageClasses, missing, {}, signal)
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error
    }
  }

  async function assign(key: string, { client, signal }: ReconcileContext): Promise<void> {
    const claim = claims.lister.get(key)
    const storageClassName = claim && lateClass(claim, classes.lister.list())
    // A volume without a class that will do is what was asked for, while there was no default.
    if (!storageClassName || findVolume(claim, volumes.lister.list())) return
    await client.update(PersistentVolumeClaims, { ...claim, spec: { ...claim.spec, storageClassName } }, {}, signal)
  }

  const isWaiting = ({ spec }: PersistentVolumeClaim) => spec.storageClassName === undefined && !spec.volumeName
  const waiting = () => claims.lister.list().filter(isWaiting).map(keyOf)
  const common = { client: deps.client, clock, log }
  const once = new WorkQueue({ clock })
  if (flags.volumeRoot !== undefined) once.add(className)
  await Promise.all([
    runWorkers(
      { ...common, name: 'default-storage-class', workers: 1, reconcile: create },
      once,
      classes.synced(),
      signal,
    ),
    runController(
      {
        ...common,
        name: 'default-storage-class-assigner',
        reconciles: claims,
        watches: [
          [classes, waiting],
          [volumes, ({ spec }: PersistentVolume) => (spec.claimRef ? [] : waiting())],
        ],
        reconcile: assign,
      },
      signal,
    ),
  ])
}
