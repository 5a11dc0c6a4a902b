/**
 * The audit: who did what, when, and how it was decided, as events of audit.k8s.io/v1. A request begins one here if the
 * policy wants that, and each stage of the pipeline adds what it knows:
 *
 *   begin() ─► RequestReceived ─► impersonated(), decided(), received() ─► started() ─► ResponseStarted, if it lasts
 *                                                                           └─► completed() ─► ResponseComplete
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Status } from '@dinghy/shared/api/errors'
import type { AccessAttributes, Decision } from '../auth/authorize.ts'
import type { UserInfo } from '../auth/user.ts'
import type { AuditLog } from './audit-log.ts'
import { type AuditConfig, auditLevels, type AuditPolicy, type AuditStage, evaluatePolicy } from './policy.ts'

/** What of a request an event tells. */
export interface AuditedRequest {
  auditId: string
  uri: string
  /** Undefined for somebody whose credentials are not good. */
  user: UserInfo | undefined
  attributes: Omit<AccessAttributes, 'user'>
  sourceIps: string[]
  userAgent: string | undefined
}

export interface AuditorDeps {
  policy: AuditPolicy
  log: AuditLog
  clock: Pick<Clock, 'now'>
}

export class Auditor {
  readonly #deps: AuditorDeps

  constructor(deps: AuditorDeps) {
    this.#deps = deps
  }

  /** Undefined for what the policy does not want to see. */
  begin(request: AuditedRequest): Audit | undefined {
    const config = evaluatePolicy(this.#deps.policy, { ...request.attributes, user: request.user })
    return config.level === 'None' ? undefined : new Audit(request, config, this.#deps)
  }
}

/** One request, as it is written down. */
export class Audit {
  readonly #event: Record<string, unknown>
  readonly #config: AuditConfig
  readonly #deps: AuditorDeps
  readonly #annotations: Record<string, string> = {}

  constructor(request: AuditedRequest, config: AuditConfig, deps: AuditorDeps) {
    const { auditId, uri, user, attributes, sourceIps, userAgent } = request
    this.#config = config
    this.#deps = deps
    this.#event = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: config.level,
      auditID: auditId,
      stage: 'RequestReceived',
      requestURI: uri,
      verb: attributes.verb,
      user: user ?? {},
      ...(sourceIps.length > 0 ? { sourceIPs: sourceIps } : {}),
      ...(userAgent === undefined ? {} : { userAgent }),
      ...objectRefOf(attributes),
      requestReceivedTimestamp: this.#time(),
    }
    this.#write('RequestReceived')
  }

  /** Whether request or response bodies are wanted: making them costs something. */
  wants(level: 'Request' | 'RequestResponse'): boolean {
    // Upstream tells the objects of resources only.
    const isResource = this.#event['objectRef'] !== undefined
    return isResource && auditLevels.indexOf(this.#config.level) >= auditLevels.indexOf(level)
  }

  impersonated(user: UserInfo): void {
    this.#event['impersonatedUser'] = user
  }

  decided({ allowed, reason }: Decision): void {
    this.#annotations['authorization.k8s.io/decision'] = allowed ? 'allow' : 'forbid'
    this.#annotations['authorization.k8s.io/reason'] = reason
  }

  /** What admission wants to have written down. */
  annotate(key: string, value: string): void {
    this.#annotations[key] = value
  }

  /** The object that came with the request. It is copied: what follows changes it. */
  received(object: unknown): void {
    if (this.wants('Request')) this.#event['requestObject'] = this.#shown(object)
  }

  /** The answer's headers are out, and its body will last. */
  started(code: number): void {
    this.#event['responseStatus'] = { metadata: {}, code }
    this.#write('ResponseStarted')
  }

  answered(object: unknown): void {
    if (this.wants('RequestResponse')) this.#event['responseObject'] = this.#shown(object)
  }

  /** `status`: what was said to a client that was refused. */
  completed(code: number, status?: Status): void {
    const { message, reason, details } = status ?? {}
    this.#event['responseStatus'] = {
      metadata: {},
      ...(status ? { status: 'Failure', ...(message ? { message } : {}), ...(reason ? { reason } : {}) } : {}),
      ...(details ? { details } : {}),
      code,
    }
    this.#write('ResponseComplete')
  }

  #write(stage: AuditStage): void {
    if (this.#config.omitStages.includes(stage)) return
    const annotations = Object.keys(this.#annotations).length > 0 ? { annotations: { ...this.#annotations } } : {}
    this.#deps.log.write({ ...this.#event, stage, stageTimestamp: this.#time(), ...annotations })
  }

  #shown(object: unknown): unknown {
    const copy = structuredClone(object)
    if (this.#config.omitManagedFields) dropManagedFields(copy)
    return copy
  }

  /** metav1.MicroTime. */
  #time(): string {
    return new Date(this.#deps.clock.now()).toISOString().replace('Z', '000Z')
  }
}

function objectRefOf(attributes: Omit<AccessAttributes, 'user'>): { objectRef?: object } {
  const { path, resource, namespace, name, group, version, subresource } = attributes
  if (path !== undefined) return {}
  return {
    objectRef: {
      resource,
      ...(namespace ? { namespace } : {}),
      ...(name ? { name } : {}),
      ...(group ? { apiGroup: group } : {}),
      apiVersion: version,
      ...(subresource ? { subresource } : {}),
    },
  }
}

function dropManagedFields(object: unknown): void {
  const { metadata, items } = (object ?? {}) as { metadata?: { managedFields?: unknown }; items?: unknown[] }
  delete metadata?.managedFields
  for (const item of items ?? []) dropManagedFields(item)
}
