/**
 * The cleaner: requests for certificates that are over go by themselves. Upstream looks at all of them once an hour;
 * this comes back to each when its time is up.
 */

import { CertificateSigningRequests } from '@dinghy/shared/api/resources'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { goesAt } from './cleaning-plan.ts'

export class CertificateCleaningController implements Controller {
  readonly #deps: ControllerDeps
  readonly #requests: Informer<CertificateSigningRequest>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#requests = deps.informers.for(CertificateSigningRequests)
  }

  async run(signal: AbortSignal): Promise<void> {
    const reconcile = (name: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(name, context)
    const name = 'certificatesigningrequest-cleaner-controller'
    await runController({ ...this.#deps, name, reconciles: this.#requests, reconcile }, signal)
  }

  async reconcile(name: string, { client, signal }: ReconcileContext): Promise<Requeue> {
    const request = this.#requests.lister.get(name)
    if (!request) return undefined
    const leftMs = goesAt(request) - this.#deps.clock.now()
    if (leftMs > 0) return requeueAfter(leftMs)
    const { uid, resourceVersion } = request.metadata
    await ifPresent(
      client.delete(CertificateSigningRequests, { name }, { preconditions: { uid, resourceVersion } }, signal),
    )
    return undefined
  }
}
