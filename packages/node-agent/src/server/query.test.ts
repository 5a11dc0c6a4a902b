import { expect, test } from 'vitest'
import { flagOf, portsOf, streamsOf } from './query.ts'

test.each([
  ['', false],
  ['x=false', false],
  ['x=False', false],
  ['x=0', false],
  ['x=true', true],
  ['x=True', true],
  ['x=1', true],
  ['x=yes', true],
  ['x', true],
  ['x=', true],
])('%j is %s', (query, expected) => {
  expect(flagOf(new URLSearchParams(query), 'x')).toBe(expected)
})

test('the streams, by their names of the API server and the kubelet, as Python writes them', () => {
  const python = 'stdin=False&stdout=True&stderr=True&tty=False'
  expect(streamsOf(new URLSearchParams(python))).toEqual({ stdin: false, stdout: true, stderr: true, tty: false })
  const kubelet = 'input=1&output=1&error=1&tty=1'
  expect(streamsOf(new URLSearchParams(kubelet))).toEqual({ stdin: true, stdout: true, stderr: false, tty: true })
})

test('ports, each by itself or in a list', () => {
  expect(portsOf(new URLSearchParams('ports=80,81&ports=82&ports=x&ports=0&ports=70000'))).toEqual([80, 81, 82])
})
