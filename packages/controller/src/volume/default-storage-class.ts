/**
 * The StorageClass "standard": claims that name no class get it, and with it a volume of provisioner.ts. It is
 * created at start if there is none of that name; one that a user deletes stays away until the next start. It is the
 * default only if there is no other: of two defaults the newer one counts, and ours must not win by accident.
 *
 * New claims get their class from the api-server's admission. Those made before there was a default get it here, as
 * upstream's binder does ("retroactive default storage class").
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '@dinghy/shared/api/resources'
import type { Draft, PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { findVolume } from '@dinghy/shared/api/volume-matching'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, runWorkers, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import type { Controller, ControllerDeps } from '../deps.ts'
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

export class DefaultStorageClassController implements Controller {
  readonly #deps: ControllerDeps
  readonly #classes: Informer<StorageClass>
  readonly #claims: Informer<PersistentVolumeClaim>
  readonly #volumes: Informer<PersistentVolume>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#classes = deps.informers.for(StorageClasses)
    this.#claims = deps.informers.for(PersistentVolumeClaims)
    this.#volumes = deps.informers.for(PersistentVolumes)
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#runOnce(signal), this.#runAssigner(signal)])
  }

  /** The class is created once; after that it is the users'. */
  async #runOnce(signal: AbortSignal): Promise<void> {
    const queue = new WorkQueue({ clock: this.#deps.clock })
    if (this.#deps.flags.volumeRoot !== undefined) queue.add(className)
    const reconcile = (_key: string, context: ReconcileContext): Promise<void> => this.createMissing(context)
    const options = { ...this.#deps, name: 'default-storage-class', workers: 1, reconcile }
    await runWorkers(options, queue, this.#classes.synced(), signal)
  }

  async #runAssigner(signal: AbortSignal): Promise<void> {
    const isWaiting = ({ spec }: PersistentVolumeClaim) => spec.storageClassName === undefined && !spec.volumeName
    const waiting = () => this.#claims.lister.list().filter(isWaiting).map(keyOf)
    await runController(
      {
        ...this.#deps,
        name: 'default-storage-class-assigner',
        reconciles: this.#claims,
        watches: [
          [this.#classes, waiting],
          [this.#volumes, ({ spec }: PersistentVolume) => (spec.claimRef ? [] : waiting())],
        ],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
  }

  async createMissing({ client, signal }: ReconcileContext): Promise<void> {
    const missing = missingClass(this.#classes.lister.list())
    try {
      if (missing) await client.create(StorageClasses, missing, {}, signal)
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error
    }
  }

  /** Gives the claim its class, if it should have one now. */
  async reconcile(key: string, { client, signal }: ReconcileContext): Promise<void> {
    const claim = this.#claims.lister.get(key)
    const storageClassName = claim && lateClass(claim, this.#classes.lister.list())
    // A volume without a class that will do is what was asked for, while there was no default.
    if (!storageClassName || findVolume(claim, this.#volumes.lister.list())) return
    await client.update(PersistentVolumeClaims, { ...claim, spec: { ...claim.spec, storageClassName } }, {}, signal)
  }
}
