/**
 * Errors of the Kubernetes API. Every failure that a client may see is a StatusError carrying the Status object
 * that goes over the wire; code throws it once, where the fault is found, and `toStatus` turns whatever arrives at
 * the edge into a Status in one place. Callers test `hasReason(error, 'NotFound')`, never message texts.
 *
 * Messages, reasons and details follow upstream's k8s.io/apimachinery/pkg/api/errors, which kubectl prints verbatim.
 */
import { fieldErrorBody, fieldErrorMessage, type FieldError } from './field-errors.ts'

export interface StatusCause {
  reason?: string
  message?: string
  field?: string
}

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  /** An expired list says here how to go on without consistency. */
  metadata: { continue?: string }
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  details?: StatusDetails
  code: number
}

export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly status: Status

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? `status ${status.code}`, options)
    this.status = status
  }

  get code(): number {
    return this.status.code
  }

  get reason(): string {
    return this.status.reason ?? ''
  }
}

/** Whether this is a StatusError with one of these reasons. */
export function hasReason(error: unknown, ...reasons: string[]): error is StatusError {
  return error instanceof StatusError && reasons.includes(error.reason)
}

/** The one place where an error becomes a Status; an error that nobody foresaw is an internal one. */
export function toStatus(error: unknown): Status {
  return error instanceof StatusError ? error.status : internalError(error).status
}

/** The Status that answers a successful request which has no object to return. */
export function success(details?: StatusDetails): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details ? { details } : {}),
    code: 200,
  }
}

/** An error read off the wire: the Status if the server sent one, otherwise one made from the HTTP status alone. */
export function fromResponse(code: number, body: string): StatusError {
  const status = parseStatus(body)
  if (status !== undefined) return new StatusError({ ...status, code: status.code || code })
  return failure(code, reasonOfCode[code] ?? 'Unknown', body.trim() || `the server answered with status ${code}`)
}

export function badRequest(message: string): StatusError {
  return failure(400, 'BadRequest', message)
}

export function unauthorized(message = 'not authorized to perform this operation'): StatusError {
  return failure(401, 'Unauthorized', message)
}

export function forbidden(group: string, plural: string, name: string, message: string): StatusError {
  const subject =
    plural === '' ? '' : name === '' ? `${qualified(plural, group)} is ` : `${named(plural, group, name)} is `
  return failure(403, 'Forbidden', `${subject}forbidden: ${message}`, details(group, plural, name))
}

export function notFound(group: string, plural: string, name: string): StatusError {
  return failure(404, 'NotFound', `${named(plural, group, name)} not found`, details(group, plural, name))
}

/** The path names no resource that this server knows. */
export function unknownResource(): StatusError {
  return failure(404, 'NotFound', 'the server could not find the requested resource', {})
}

export function methodNotSupported(group: string, plural: string, action: string): StatusError {
  const message = `${action} is not supported on resources of kind "${qualified(plural, group)}"`
  return failure(405, 'MethodNotAllowed', message, details(group, plural))
}

export function notAcceptable(accepted: readonly string[]): StatusError {
  const message = `only the following media types are accepted: ${accepted.join(', ')}`
  return failure(406, 'NotAcceptable', message)
}

export function alreadyExists(group: string, plural: string, name: string): StatusError {
  const message = `${named(plural, group, name)} already exists`
  return failure(409, 'AlreadyExists', message, details(group, plural, name))
}

/** All attempts to derive a free name from generateName collided. */
export function generateNameConflict(group: string, plural: string, name: string, retryAfterSeconds = 1): StatusError {
  const message = `${named(plural, group, name)} already exists, the server was not able to generate a unique name for the object`
  return failure(409, 'AlreadyExists', message, { ...details(group, plural, name), retryAfterSeconds })
}

export function conflict(group: string, plural: string, name: string, message: string): StatusError {
  const text = `Operation cannot be fulfilled on ${named(plural, group, name)}: ${message}`
  return failure(409, 'Conflict', text, details(group, plural, name))
}

/** Server-side apply found fields that another manager owns. */
export function applyConflict(causes: StatusCause[], message: string): StatusError {
  return failure(409, 'Conflict', message, { causes })
}

/** The revision asked for has been compacted away: list again. */
export function expired(message: string, metadata: Status['metadata'] = {}): StatusError {
  const { status } = failure(410, 'Expired', message)
  return new StatusError({ ...status, metadata })
}

export function gone(message: string): StatusError {
  return failure(410, 'Gone', message)
}

export function requestEntityTooLarge(message: string): StatusError {
  return failure(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`)
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`
  return failure(415, 'UnsupportedMediaType', message)
}

export function invalid(group: string, kind: string, name: string, causes: readonly FieldError[]): StatusError {
  const subject = `${named(kind, group, name)} is invalid`
  // Upstream's aggregate shows each distinct message once, and brackets only when there is more than one.
  const messages = [...new Set(causes.map(fieldErrorMessage))]
  const summary = messages.length === 1 ? messages[0] : `[${messages.join(', ')}]`
  return failure(422, 'Invalid', messages.length === 0 ? subject : `${subject}: ${summary}`, {
    ...details(group, kind, name),
    causes: causes.map((cause) => ({ reason: cause.type, message: fieldErrorBody(cause), field: cause.field })),
  })
}

export function tooManyRequests(message: string, retryAfterSeconds = 1, causes?: StatusCause[]): StatusError {
  // A zero would be dropped from the JSON upstream (omitempty), and clients read its absence as "do not retry".
  const wait = retryAfterSeconds > 0 ? { retryAfterSeconds } : {}
  return failure(429, 'TooManyRequests', message, { ...(causes ? { causes } : {}), ...wait })
}

export function internalError(error: unknown): StatusError {
  const message = error instanceof Error ? error.message : String(error)
  return new StatusError(
    failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }).status,
    { cause: error },
  )
}

/** The operation could not be finished now, and may be tried again. */
export function serverTimeout(group: string, plural: string, operation: string, retryAfterSeconds = 0): StatusError {
  const subject = qualified(plural, group)
  const message = `The ${operation} operation against ${subject} could not be completed at this time, please try again.`
  return failure(500, 'ServerTimeout', message, { ...details(group, plural, operation), retryAfterSeconds })
}

export function serviceUnavailable(message: string, options?: ErrorOptions): StatusError {
  return new StatusError(failure(503, 'ServiceUnavailable', message).status, options)
}

function failure(code: number, reason: string, message: string, details?: StatusDetails): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details ? { details } : {}),
    code,
  })
}

/** Empty strings are left out, as Go's omitempty does. */
function details(group: string, kind: string, name = ''): StatusDetails {
  return { ...(name ? { name } : {}), ...(group ? { group } : {}), ...(kind ? { kind } : {}) }
}

/** "deployments.apps", or just "pods" in the core group. */
function qualified(plural: string, group: string): string {
  return group === '' ? plural : `${plural}.${group}`
}

function named(plural: string, group: string, name: string): string {
  return `${qualified(plural, group)} ${JSON.stringify(name)}`
}

/** The Status in a response body, if it is one; anything else (a proxy's HTML page, say) is undefined. */
function parseStatus(body: string): Status | undefined {
  if (!body.trimStart().startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status'
      ? (value as Status)
      : undefined
  } catch (error) {
    // Cut short or not JSON at all: the caller falls back to the code.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const reasonOfCode: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}
