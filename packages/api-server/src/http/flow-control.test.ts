import { expect, test } from 'vitest'
import { FlowControl } from './flow-control.ts'
import { parseRequestInfo } from './request-info.ts'

function info(method: string, path: string) {
  return parseRequestInfo(method, new URL(path, 'http://localhost'))
}
const list = info('GET', '/api/v1/pods')
const create = info('POST', '/api/v1/namespaces/default/pods')
const watch = info('GET', '/api/v1/pods?watch=1')
const log = info('GET', '/api/v1/namespaces/default/pods/web/log')

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
