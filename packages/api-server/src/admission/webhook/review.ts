/**
 * The question that a webhook is asked, an AdmissionReview, and what its answer means. Pure. Follows
 * k8s.io/apiserver/pkg/admission/plugin/webhook/{request,errors}.
 */

import { type Status, StatusError } from '@dinghy/shared/api/errors'
import type { AdmissionRequest } from '../../registry/admission.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { describeRequest, named, objectsIn } from '../attributes.ts'

export interface Verdict {
  warnings: string[]
  /** Without the webhook's name. */
  auditAnnotations: Record<string, string>
  /** JSON patch operations; empty if nothing is to be changed. */
  patch: unknown[]
}

/** The answer makes no sense; `message` follows "failed calling webhook "x": ". */
export class InvalidAnswer extends Error {
  override readonly name = 'InvalidAnswer'
}

const knownVersions = ['v1', 'v1beta1']

/** The newest version of AdmissionReview, of those that the webhook knows, in the order it names them. */
export function reviewVersion(versions: readonly string[]): string {
  return versions.find((version) => knownVersions.includes(version)) ?? 'v1'
}

export function reviewOf(request: AdmissionRequest, shownAs: ResourceDefinition, uid: string, version: string): object {
  const { object, oldObject } = objectsIn(shownAs, request)
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...describeRequest(request, shownAs),
      object: object && named(object, shownAs),
      oldObject: oldObject && named(oldObject, shownAs),
    },
  }
}

interface Response {
  uid?: string
  allowed?: boolean
  status?: Partial<Status>
  patch?: string
  patchType?: string
  warnings?: string[]
  auditAnnotations?: Record<string, string>
}

/** Throws StatusError if the webhook refuses, InvalidAnswer if what it says cannot be understood. */
export function verdictOf(answer: unknown, webhook: string, uid: string, version: string, mayPatch: boolean): Verdict {
  const { kind, apiVersion, response } = (answer ?? {}) as { kind?: string; apiVersion?: string; response?: Response }
  const invalidAnswer = (problem: string) => new InvalidAnswer(`received invalid webhook response: ${problem}`)
  if (!response) throw invalidAnswer('webhook response was absent')
  const { allowed, warnings = [], auditAnnotations = {}, patch, patchType } = response
  // v1beta1 was less strict.
  if (version === 'v1') {
    const expected = `admission.k8s.io/v1, Kind=AdmissionReview`
    const got = `${apiVersion ?? ''}, Kind=${kind ?? ''}`
    if (got !== expected) throw invalidAnswer(`expected webhook response of ${expected}, got ${got}`)
    if (response.uid !== uid) throw invalidAnswer(`expected response.uid=${quoted(uid)}, got ${quoted(response.uid)}`)
    if (mayPatch && allowed === true && patch && patchType !== 'JSONPatch') {
      throw invalidAnswer(
        patchType
          ? `webhook returned invalid response.patchType of ${quoted(patchType)}`
          : 'webhook returned response.patch but not response.patchType',
      )
    }
    if (!mayPatch && patch) throw invalidAnswer('validating webhook may not return response.patch')
    if (!mayPatch && patchType) throw invalidAnswer('validating webhook may not return response.patchType')
    if (mayPatch && !patch && patchType) {
      throw invalidAnswer('webhook returned response.patchType but not response.patch')
    }
  }
  if (allowed !== true) throw new Refusal(refusal(webhook, response.status), { warnings, auditAnnotations })
  return { warnings, auditAnnotations, patch: mayPatch && patch ? operations(patch) : [] }
}

/** A refusal, too, may have warnings. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: StatusError
  readonly said: Omit<Verdict, 'patch'>

  constructor(status: StatusError, said: Omit<Verdict, 'patch'>) {
    super(status.message)
    this.status = status
    this.said = said
  }
}

function operations(patch: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(patch, 'base64').toString())
    if (Array.isArray(parsed)) return parsed
  } catch {
    // Said below.
  }
  throw new InvalidAnswer('received undecodable patch in webhook response: it is no list of JSON patch operations')
}

function refusal(webhook: string, sent: Partial<Status> = {}): StatusError {
  const denied = `admission webhook ${quoted(webhook)} denied the request`
  const why = sent.message || sent.reason
  const code = sent.code !== undefined && sent.code >= 400 ? sent.code : 400
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: sent.metadata ?? {},
    status: 'Failure',
    message: why ? `${denied}: ${why}` : `${denied} without explanation`,
    ...(sent.reason ? { reason: sent.reason } : {}),
    ...(sent.details ? { details: sent.details } : {}),
    code,
  })
}

function quoted(text: string | undefined): string {
  return JSON.stringify(text ?? '')
}
