import { expect, test } from 'vitest'
import { FlowControl } from './flow-control.ts'
import type { RequestInfo } from './request-info.ts'

const list: RequestInfo = {
  isResource: true,
  path: '/api/v1/pods',
  verb: 'list',
  group: '',
  version: 'v1',
  namespace: undefined,
  resource: 'pods',
  name: undefined,
  subresource: undefined,
  rest: '',
}
const create = { ...list, verb: 'create', namespace: 'default' }
const watch = { ...list, verb: 'watch' }
const log = { ...list, verb: 'get', namespace: 'default', name: 'web', subresource: 'log' }

test('a full gate says when to come back, and opens again', () => {
  const gate = new FlowControl({ readOnly: 2, mutating: 1 })
  const leave = gate.enter(list)
  gate.enter(list)
  expect(() => gate.enter(list)).toThrow('Too many requests, please try again later.')
  expect(() => gate.enter(list)).toThrow(
    expect.objectContaining({ status: expect.objectContaining({ code: 429, details: { retryAfterSeconds: 1 } }) }),
  )
  leave()
  gate.enter(list)
})

test('reads and writes have gates of their own', () => {
  const gate = new FlowControl({ readOnly: 0, mutating: 1 })
  expect(() => gate.enter(list)).toThrow()
  gate.enter(create)
  expect(() => gate.enter(create)).toThrow()
})

test('what lasts does not count', () => {
  const gate = new FlowControl({ readOnly: 0, mutating: 0 })
  gate.enter(watch)
  gate.enter(log)
  expect(gate.inFlight).toEqual({ readOnly: 0, mutating: 0 })
})
