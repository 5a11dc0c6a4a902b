import { expect, test } from 'vitest'
import { exitStatus, finalMessage, frame, readerFrame, readMessage } from './channels.ts'

function text(data: string): Buffer {
  return Buffer.from(data)
}
const size = text('\x04{"Width":80,"Height":24}')

test.each<[string, Buffer, string, object]>([
  ['stdin', text('\0hi'), 'v5.channel.k8s.io', { type: 'stdin', data: text('hi') }],
  ['stdin of a client that names no protocol', text('\0hi'), '', { type: 'stdin', data: text('hi') }],
  ['stdin in base64', text('0aGk='), 'v4.base64.channel.k8s.io', { type: 'stdin', data: text('hi') }],
  ['stdin in the old base64', text('0aGk='), 'base64.channel.k8s.io', { type: 'stdin', data: text('hi') }],
  ['the end of stdin', Buffer.from([255, 0]), 'v5.channel.k8s.io', { type: 'stdinEnd' }],
  ['which v4 does not know', Buffer.from([255, 0]), 'v4.channel.k8s.io', { type: 'ignored' }],
  ['the end of another channel', Buffer.from([255, 1]), 'v5.channel.k8s.io', { type: 'ignored' }],
  ['a terminal size', size, 'v4.channel.k8s.io', { type: 'resize', width: 80, height: 24 }],
  ['no size at all', text('\x04{}'), 'v4.channel.k8s.io', { type: 'ignored' }],
  ['half a size', text('\x04{"Width":80,'), 'v4.channel.k8s.io', { type: 'ignored' }],
  ['null', text('\x04null'), 'v4.channel.k8s.io', { type: 'ignored' }],
  ['sizes that are none', text('\x04{"Width":-1,"Height":"x"}'), 'v4.channel.k8s.io', { type: 'ignored' }],
  ['an empty message', Buffer.alloc(0), 'v5.channel.k8s.io', { type: 'ignored' }],
  ['an empty base64 message', Buffer.alloc(0), 'base64.channel.k8s.io', { type: 'ignored' }],
])('%s', (_name, message, protocol, expected) => {
  expect(readMessage(message, protocol)).toEqual(expected)
})

test('what is sent is binary, or text where the protocol says base64', () => {
  expect(frame(1, text('hi'), 'channel.k8s.io')).toEqual(text('\x01hi'))
  expect(frame(1, text('hi'), 'base64.channel.k8s.io')).toBe('1aGk=')
  expect(readerFrame(text('hi'), 'binary.k8s.io')).toEqual(text('hi'))
  expect(readerFrame(text('hi'), 'base64.binary.k8s.io')).toBe('aGk=')
})

test('the end of a command', () => {
  expect(exitStatus(0)).toEqual({ metadata: {}, status: 'Success' })
  expect(exitStatus(3)).toMatchObject({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  })
})

test('is a Status since v4; before, a success is silence and a failure its message', () => {
  const failure = exitStatus(3)
  expect(finalMessage(failure, 'v4.base64.channel.k8s.io')).toBe(JSON.stringify(failure))
  expect(finalMessage(failure, 'channel.k8s.io')).toBe(failure.message)
  expect(finalMessage(failure, '')).toBe(failure.message)
  expect(finalMessage(exitStatus(0), 'base64.channel.k8s.io')).toBeUndefined()
})
