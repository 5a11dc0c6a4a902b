/**
 * The signing controller: what has been approved for one of Kubernetes' own signers gets its certificate from the
 * cluster's authority (--cluster-signing-cert-file, --cluster-signing-key-file; without them nothing is signed). A
 * request that does not fit its signer fails. Follows pkg/controller/certificates/signer.
 *
 * Where it differs: upstream can be given another authority for each signer.
 */

import { CertificateSigningRequests } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { readRequest, signRequest } from '@dinghy/shared/pki/authority'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { Controller, ControllerDeps } from '../deps.ts'
import { isOwnSigner, signingProblem } from './signers.ts'
import { has, withVerdict } from './verdict.ts'

const yearSeconds = 365 * 86_400
const leastSeconds = 600

export class CertificateSigningController implements Controller {
  readonly #deps: ControllerDeps
  readonly #requests: Informer<CertificateSigningRequest>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#requests = deps.informers.for(CertificateSigningRequests)
  }

  async run(signal: AbortSignal): Promise<void> {
    if (!this.#deps.flags.signingAuthority) return
    await runController(
      {
        ...this.#deps,
        name: 'certificatesigningrequest-signing-controller',
        reconciles: this.#requests,
        reconcile: (name, context) => this.reconcile(name, context),
      },
      signal,
    )
  }

  async reconcile(name: string, { client, signal }: ReconcileContext): Promise<void> {
    const { clock, flags } = this.#deps
    const request = this.#requests.lister.get(name)
    if (!request || !flags.signingAuthority || !isOwnSigner(request.spec.signerName)) return
    if (!has(request, 'Approved') || has(request, 'Denied') || has(request, 'Failed')) return
    if (request.status.certificate) return
    const pem = Buffer.from(request.spec.request, 'base64').toString()
    const problem = signingProblem(request, await readRequest(pem))
    const write = { subresource: 'status' }
    if (problem !== undefined) {
      const failed = withVerdict(request, 'Failed', 'SignerValidationFailure', problem, rfc3339(clock.now()))
      await client.update(CertificateSigningRequests, failed, write, signal)
      return
    }
    const certificate = await signRequest(flags.signingAuthority, pem, {
      now: clock.now(),
      expiresInSeconds: lifetimeOf(request, flags.signingDurationSeconds ?? yearSeconds),
      usages: request.spec.usages ?? [],
    })
    const status = { ...request.status, certificate: Buffer.from(certificate).toString('base64') }
    await client.update(CertificateSigningRequests, { ...request, status }, write, signal)
  }
}

/** A client may ask for less than what the cluster gives, down to ten minutes, and not for more. */
function lifetimeOf({ spec: { expirationSeconds } }: CertificateSigningRequest, mostSeconds: number): number {
  if (expirationSeconds === undefined) return mostSeconds
  return Math.min(Math.max(expirationSeconds, leastSeconds), mostSeconds)
}
