import { describe, expect, test } from 'vitest'
import * as errors from './errors.ts'
import * as field from './field-errors.ts'

describe('messages, codes and details', () => {
  test.each([
    [errors.notFound('', 'pods', 'web'), 404, 'NotFound', 'pods "web" not found', { name: 'web', kind: 'pods' }],
    [
      errors.notFound('apps', 'deployments', 'web'),
      404,
      'NotFound',
      'deployments.apps "web" not found',
      { name: 'web', group: 'apps', kind: 'deployments' },
    ],
    [
      errors.alreadyExists('', 'pods', 'web'),
      409,
      'AlreadyExists',
      'pods "web" already exists',
      { name: 'web', kind: 'pods' },
    ],
    [
      errors.conflict('', 'pods', 'web', 'the object has been modified'),
      409,
      'Conflict',
      'Operation cannot be fulfilled on pods "web": the object has been modified',
      { name: 'web', kind: 'pods' },
    ],
    [
      errors.forbidden('', 'pods', 'web', 'no'),
      403,
      'Forbidden',
      'pods "web" is forbidden: no',
      { name: 'web', kind: 'pods' },
    ],
    [errors.forbidden('', 'pods', '', 'no'), 403, 'Forbidden', 'pods is forbidden: no', { kind: 'pods' }],
    [
      errors.methodNotSupported('', 'pods', 'patch'),
      405,
      'MethodNotAllowed',
      'patch is not supported on resources of kind "pods"',
      { kind: 'pods' },
    ],
    [errors.expired('too old resource version'), 410, 'Expired', 'too old resource version', undefined],
    [errors.tooManyRequests('slow down', 3), 429, 'TooManyRequests', 'slow down', { retryAfterSeconds: 3 }],
    [errors.tooManyRequests('no', 0), 429, 'TooManyRequests', 'no', {}],
    [
      errors.serverTimeout('', 'pods', 'list', 2),
      500,
      'ServerTimeout',
      'The list operation against pods could not be completed at this time, please try again.',
      { name: 'list', kind: 'pods', retryAfterSeconds: 2 },
    ],
  ])('%s', (error, code, reason, message, details) => {
    const { status } = error
    expect({ code: status.code, reason: status.reason, message: status.message }).toEqual({ code, reason, message })
    expect(status.details).toEqual(details)
    expect(error.message).toBe(message)
  })
})

describe('invalid', () => {
  const first = field.required('spec.containers')
  const second = field.invalid('spec.replicas', -1, 'must be greater than or equal to 0')

  test('one fault', () => {
    expect(errors.invalid('', 'Pod', 'web', [first]).message).toBe(
      'Pod "web" is invalid: spec.containers: Required value',
    )
  })

  test('several faults, each distinct message once, with one cause for every fault', () => {
    const { status } = errors.invalid('apps', 'Deployment', 'web', [first, second, first])
    expect(status.message).toBe(
      'Deployment.apps "web" is invalid: [spec.containers: Required value, spec.replicas: Invalid value: -1: must be greater than or equal to 0]',
    )
    expect(status.details?.causes).toHaveLength(3)
    expect(status.details?.causes?.[1]).toEqual({
      reason: 'FieldValueInvalid',
      message: 'Invalid value: -1: must be greater than or equal to 0',
      field: 'spec.replicas',
    })
  })
})

test.each([
  [field.required('a'), 'a: Required value'],
  [field.required('a', 'say more'), 'a: Required value: say more'],
  [field.invalid('a', 'x', 'bad'), 'a: Invalid value: "x": bad'],
  [field.invalid('a', 3, ''), 'a: Invalid value: 3'],
  [field.invalid('a', undefined, 'bad'), 'a: Invalid value: "null": bad'],
  [field.invalid('a', { b: '1' }, 'bad'), 'a: Invalid value: {"b":"1"}: bad'],
  [
    field.invalid('a', new field.StringMap({ b: '1', a: '2' }), 'bad'),
    'a: Invalid value: map[string]string{"a":"2", "b":"1"}: bad',
  ],
  [field.invalid('a', new field.StringMap(undefined), 'bad'), 'a: Invalid value: map[string]string(nil): bad'],
  [field.notSupported('a', 'x', ['A', 'B']), 'a: Unsupported value: "x": supported values: "A", "B"'],
  [field.duplicate('a', 'x'), 'a: Duplicate value: "x"'],
  [field.forbidden('a', 'no'), 'a: Forbidden: no'],
  [field.notFound('a', 'x'), 'a: Not found: "x"'],
  [field.tooLong('a', 63), 'a: Too long: may not be more than 63 bytes'],
  [field.tooMany('a', 3, 1), 'a: Too many: 3: must have at most 1 item'],
  [field.internal('a', new Error('oops')), 'a: Internal error: oops'],
])('field error %#: %s', (error, message) => expect(field.fieldErrorMessage(error)).toBe(message))

test('toStatus: what nobody foresaw is an internal error', () => {
  expect(errors.toStatus(errors.badRequest('no')).code).toBe(400)
  expect(errors.toStatus(new TypeError('x is undefined'))).toMatchObject({
    code: 500,
    reason: 'InternalError',
    message: 'Internal error occurred: x is undefined',
    details: { causes: [{ message: 'x is undefined' }] },
  })
  expect(errors.toStatus('text').message).toBe('Internal error occurred: text')
})

test('hasReason', () => {
  expect(errors.hasReason(errors.notFound('', 'pods', 'x'), 'Conflict', 'NotFound')).toBe(true)
  expect(errors.hasReason(errors.notFound('', 'pods', 'x'), 'Conflict')).toBe(false)
  expect(errors.hasReason(new Error('NotFound'), 'NotFound')).toBe(false)
})

test('fromResponse reads a Status, and makes one up for anything else', () => {
  const sent = errors.notFound('', 'pods', 'x').status
  expect(errors.fromResponse(404, JSON.stringify(sent)).status).toEqual(sent)
  expect(errors.fromResponse(502, '<html>').status).toMatchObject({ code: 502, reason: 'Unknown', message: '<html>' })
  expect(errors.fromResponse(409, '{"cut').reason).toBe('Conflict')
  expect(errors.fromResponse(500, '{"kind":"Pod"}').reason).toBe('InternalError')
})
