/**
 * What validation finds wrong: one FieldError per fault, naming the field by its path ("spec.containers[0].name").
 * Validators return lists of these and never throw; the API server turns a non-empty list into one Status 422
 * (errors.ts, `invalid`). The texts are those of upstream's k8s.io/apimachinery/pkg/util/validation/field, because
 * people paste them into search engines.
 */

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueTypeInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'InternalError'

export interface FieldError {
  type: FieldErrorType
  field: string
  /** The offending value, shown in the message; absent where upstream does not show it. */
  value?: unknown
  detail: string
}

export function required(field: string, detail = ''): FieldError {
  return { type: 'FieldValueRequired', field, detail }
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { type: 'FieldValueInvalid', field, value, detail }
}

/** The value has the wrong JSON type. */
export function typeInvalid(field: string, value: unknown, detail: string): FieldError {
  return { type: 'FieldValueTypeInvalid', field, value, detail }
}

export function notSupported(field: string, value: unknown, valid: readonly string[]): FieldError {
  const detail = valid.length === 0 ? '' : `supported values: ${valid.map((v) => JSON.stringify(v)).join(', ')}`
  return { type: 'FieldValueNotSupported', field, value, detail }
}

export function duplicate(field: string, value: unknown): FieldError {
  return { type: 'FieldValueDuplicate', field, value, detail: '' }
}

export function forbidden(field: string, detail: string): FieldError {
  return { type: 'FieldValueForbidden', field, detail }
}

/** The referenced thing does not exist. */
export function notFound(field: string, value: unknown): FieldError {
  return { type: 'FieldValueNotFound', field, value, detail: '' }
}

export function tooLong(field: string, maxLength: number): FieldError {
  const detail =
    maxLength >= 0 ? `may not be more than ${maxLength} ${maxLength === 1 ? 'byte' : 'bytes'}` : 'value is too long'
  return { type: 'FieldValueTooLong', field, detail }
}

export function tooMany(field: string, actual: number, max: number): FieldError {
  const detail = max >= 0 ? `must have at most ${max} ${max === 1 ? 'item' : 'items'}` : 'has too many items'
  return { type: 'FieldValueTooMany', field, value: actual, detail }
}

export function internal(field: string, error: Error): FieldError {
  return { type: 'InternalError', field, detail: error.message }
}

/** `spec.replicas: Invalid value: -1: must be greater than or equal to 0` */
export function fieldErrorMessage(error: FieldError): string {
  return `${error.field}: ${fieldErrorBody(error)}`
}

/** The message without the field, as it appears in a Status cause. */
export function fieldErrorBody(error: FieldError): string {
  const words = headings[error.type]
  const shown = hidesValue.has(error.type) || !('value' in error) ? words : `${words}: ${showValue(error.value)}`
  return error.detail === '' ? shown : `${shown}: ${error.detail}`
}

const headings: Record<FieldErrorType, string> = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueTypeInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  InternalError: 'Internal error',
}

const hidesValue = new Set<FieldErrorType>([
  'FieldValueRequired',
  'FieldValueForbidden',
  'FieldValueTooLong',
  'InternalError',
])

/**
 * A value of Go type map[string]string – labels, mostly – which is shown differently from an object of the same fields.
 */
export class StringMap {
  readonly entries: Readonly<Record<string, string>> | undefined

  constructor(entries: Readonly<Record<string, string>> | undefined) {
    this.entries = entries
  }

  toString(): string {
    if (this.entries === undefined) return 'map[string]string(nil)'
    const pairs = Object.entries(this.entries).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    return `map[string]string{${pairs.sort().join(', ')}}`
  }
}

/** Values look as Go prints them: a missing one is the quoted word null, an object is JSON. */
function showValue(value: unknown): string {
  if (value === undefined || value === null) return '"null"'
  return value instanceof StringMap ? value.toString() : JSON.stringify(value)
}
