/**
 * The approving controller: a kubelet's request for a client certificate needs nobody to read it, if who sent it may
 * create `certificatesigningrequests/nodeclient` (a new node) or `/selfnodeclient` (a node that renews its own), which
 * the server is asked by a SubjectAccessReview. Everything else waits for a human: serving certificates, too, as
 * upstream. Follows pkg/controller/certificates/approver.
 */

import { CertificateSigningRequests, type Resource } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { CertificateSigningRequest, Draft, KubernetesObject } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Informer } from '@dinghy/shared/client/informer'
import { readRequest } from '@dinghy/shared/pki/authority'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { Controller, ControllerDeps } from '../deps.ts'
import { kubeletClient, kubeletClientProblem } from './signers.ts'
import { has, withVerdict } from './verdict.ts'

interface SubjectAccessReview extends KubernetesObject {
  spec: object
  status: { allowed: boolean }
}

const SubjectAccessReviews: Resource<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
}

export class CertificateApprovingController implements Controller {
  readonly #deps: ControllerDeps
  readonly #requests: Informer<CertificateSigningRequest>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#requests = deps.informers.for(CertificateSigningRequests)
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name: 'certificatesigningrequest-approving-controller',
        reconciles: this.#requests,
        reconcile: (name, context) => this.reconcile(name, context),
      },
      signal,
    )
  }

  async reconcile(name: string, { client, signal }: ReconcileContext): Promise<void> {
    const request = this.#requests.lister.get(name)
    if (!request || request.spec.signerName !== kubeletClient || request.status.certificate) return
    if (has(request, 'Approved') || has(request, 'Denied')) return
    const asked = await readRequest(Buffer.from(request.spec.request, 'base64').toString())
    if (kubeletClientProblem(asked, request.spec.usages ?? []) !== undefined) return
    const isSelf = request.spec.username === asked.subject.user
    for (const way of isSelf ? [renewal, joining] : [joining]) {
      if (!(await isAllowed(client, request, way.subresource, signal))) continue
      const now = rfc3339(this.#deps.clock.now())
      const approved = withVerdict(request, 'Approved', 'AutoApproved', way.message, now)
      await client.update(CertificateSigningRequests, approved, { subresource: 'approval' }, signal)
      return
    }
    throw new Error(`recognized csr ${JSON.stringify(name)} but subject access review was not approved`)
  }
}

const renewal = {
  subresource: 'selfnodeclient',
  message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
}
const joining = {
  subresource: 'nodeclient',
  message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
}

async function isAllowed(
  client: ApiClient,
  { spec: { username, uid, groups, extra } }: CertificateSigningRequest,
  subresource: string,
  signal: AbortSignal,
): Promise<boolean> {
  const resource = 'certificatesigningrequests'
  const resourceAttributes = { group: 'certificates.k8s.io', resource, verb: 'create', subresource, version: '*' }
  const spec = { user: username, uid, groups, extra, resourceAttributes }
  // A review has no name: it is answered and forgotten.
  const review = { metadata: {}, spec } as unknown as Draft<SubjectAccessReview>
  const { status } = await client.create(SubjectAccessReviews, review, {}, signal)
  return status.allowed
}
