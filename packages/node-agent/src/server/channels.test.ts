import { expect, test } from 'vitest'
import { exitStatus, frame, readMessage, type Protocol } from './channels.ts'

const size = Buffer.from('{"Width":80,"Height":24}')
test.each<[string, Buffer, Protocol, object]>([
  ['stdin', frame(0, Buffer.from('hi')), 'v5.channel.k8s.io', { type: 'stdin', data: Buffer.from('hi') }],
  ['the end of stdin', Buffer.from([255, 0]), 'v5.channel.k8s.io', { type: 'stdinEnd' }],
  ['which v4 does not know', Buffer.from([255, 0]), 'v4.channel.k8s.io', { type: 'ignored' }],
  ['the end of another channel', Buffer.from([255, 1]), 'v5.channel.k8s.io', { type: 'ignored' }],
  ['a terminal size', frame(4, size), 'v4.channel.k8s.io', { type: 'resize', width: 80, height: 24 }],
  ['no size at all', frame(4, Buffer.from('{}')), 'v4.channel.k8s.io', { type: 'ignored' }],
  ['an empty message', Buffer.alloc(0), 'v5.channel.k8s.io', { type: 'ignored' }],
])('%s', (_name, message, protocol, expected) => {
  expect(readMessage(message, protocol)).toEqual(expected)
})

test('the end of a command', () => {
  expect(exitStatus(0)).toEqual({ metadata: {}, status: 'Success' })
  expect(exitStatus(3)).toMatchObject({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  })
})
