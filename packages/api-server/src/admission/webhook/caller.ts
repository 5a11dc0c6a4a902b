/**
 * Asks one webhook about one request, and turns silence and nonsense into what its failure policy says.
 */

import { randomUUID } from 'node:crypto'
import { badRequest, internalError } from '@dinghy/shared/api/errors'
import type { Logger } from '@dinghy/shared/process/logger'
import type { AdmissionRequest } from '../../registry/admission.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { WebhookCallError, type WebhookClient } from '../../webhooks/webhook-client.ts'
import type { Webhook } from './hooks.ts'
import { InvalidAnswer, Refusal, reviewOf, reviewVersion, verdictOf } from './review.ts'

export interface CallerDeps {
  client: WebhookClient
  log: Logger
}

const defaultTimeoutSeconds = 10

/** The patch that it wants applied. Throws StatusError if it refuses, or fails and has to be asked. */
export async function callWebhook(
  { client, log }: CallerDeps,
  webhook: Webhook,
  request: AdmissionRequest,
  shownAs: ResourceDefinition,
  mayPatch: boolean,
): Promise<unknown[]> {
  const { name, sideEffects, failurePolicy } = webhook
  const { context } = request
  if (context.dryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`)
  }
  const uid = randomUUID()
  const version = reviewVersion(webhook.admissionReviewVersions)
  try {
    const review = reviewOf(request, shownAs, uid, version)
    const timeoutMs = (webhook.timeoutSeconds ?? defaultTimeoutSeconds) * 1000
    const answer = await client.post(webhook.clientConfig, review, timeoutMs)
    const verdict = verdictOf(answer, name, uid, version, mayPatch)
    tell(request, name, verdict)
    return verdict.patch
  } catch (error) {
    if (error instanceof Refusal) {
      tell(request, name, error.said)
      throw error.status
    }
    if (!(error instanceof WebhookCallError) && !(error instanceof InvalidAnswer)) throw error
    const problem = error instanceof WebhookCallError ? `failed to call webhook: ${error.message}` : error.message
    const failure = `failed calling webhook ${JSON.stringify(name)}: ${problem}`
    if (failurePolicy !== 'Ignore') throw internalError(new Error(failure, { cause: error }))
    log.warn({ webhook: name, problem }, 'failed calling webhook, failing open')
    context.annotate?.(`failed-open.${mayPatch ? 'mutation' : 'validating'}.webhook.admission.k8s.io/${name}`, name)
    return []
  }
}

function tell(
  { context }: AdmissionRequest,
  webhook: string,
  { warnings, auditAnnotations }: { warnings: string[]; auditAnnotations: Record<string, string> },
): void {
  for (const warning of warnings) context.warn(warning)
  for (const [key, value] of Object.entries(auditAnnotations)) context.annotate?.(`${webhook}/${key}`, value)
}
