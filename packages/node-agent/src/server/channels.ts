/**
 * The channel protocol of exec and attach over WebSocket: each message is one byte that names the channel, and its data.
 *
 *   0 stdin · 1 stdout · 2 stderr · 3 the final Status · 4 terminal size {"Width","Height"} · [255, n] channel n ends (v5)
 *
 * Pure: reads and writes messages, nothing else. v5.channel.k8s.io is v4 with the possibility to end stdin.
 */

import type { Status } from '@dinghy/shared/api/errors'
import { readSize } from './remote-client.ts'

export const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const
export type Protocol = (typeof protocols)[number]

export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

export type ClientMessage =
  | { type: 'stdin'; data: Buffer }
  | { type: 'stdinEnd' }
  | { type: 'resize'; width: number; height: number }
  | { type: 'ignored' }

export function readMessage(message: Buffer, protocol: Protocol): ClientMessage {
  const data = message.subarray(1)
  switch (message[0]) {
    case channel.stdin:
      return { type: 'stdin', data }
    case channel.resize: {
      const size = readSize(data.toString('utf8'))
      return size ? { type: 'resize', ...size } : { type: 'ignored' }
    }
    case channel.close:
      return protocol === 'v5.channel.k8s.io' && data[0] === channel.stdin ? { type: 'stdinEnd' } : { type: 'ignored' }
    default:
      return { type: 'ignored' }
  }
}

export function frame(channelNumber: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([channelNumber]), data])
}

/** How a command ended, as kubectl reads it from channel 3. */
export function exitStatus(exitCode: number): Partial<Status> {
  if (exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}

export function failureStatus(message: string): Partial<Status> {
  const details = { causes: [{ message }] }
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details,
    code: 500,
  }
}
