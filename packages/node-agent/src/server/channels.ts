/**
 * The channel protocols of exec, attach and port forwarding over WebSocket: each message names a channel and carries
 * bytes for it.
 *
 *   0 stdin · 1 stdout · 2 stderr · 3 the final Status · 4 terminal size {"Width","Height"}
 *   255 (v5 alone) the channel that its one byte names ends
 *
 *   binary   a byte for the channel, then the bytes           v5., v4. and plain channel.k8s.io, and a client that
 *   base64   a digit for the channel, then base64, as text    names none: v4.base64. and plain base64.channel.k8s.io
 *
 * Before v4 a command's end is not a Status: success is silence, a failure its message. v5 is v4 with the possibility
 * to end stdin. Pure: reads and writes messages, nothing else. Follows upstream's wsstream and kubelet/cri/streaming.
 */

import type { Status } from '@dinghy/shared/api/errors'
import { readSize } from './remote-client.ts'

/** Best first. */
export const remoteCommandProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
]
export const portForwardProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io']
/** One stream and no channels: what a log is. */
export const readerProtocols = ['binary.k8s.io', 'base64.binary.k8s.io']

export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

export type ClientMessage =
  | { type: 'stdin'; data: Buffer }
  | { type: 'stdinEnd' }
  | { type: 'resize'; width: number; height: number }
  | { type: 'ignored' }

export function readMessage(message: Buffer, protocol: string): ClientMessage {
  const { number, data } = readFrame(message, protocol)
  switch (number) {
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

export function readFrame(message: Buffer, protocol: string): { number: number | undefined; data: Buffer } {
  const [first] = message
  if (!isBase64(protocol)) return { number: first, data: message.subarray(1) }
  const number = first === undefined ? undefined : first - zero
  return { number, data: Buffer.from(message.toString('latin1', 1), 'base64') }
}

/** A string is to be sent as a text message, a Buffer as a binary one. */
export function frame(number: number, data: Buffer, protocol: string): Buffer | string {
  if (isBase64(protocol)) return `${number}${data.toString('base64')}`
  return Buffer.concat([Buffer.from([number]), data])
}

/** A piece of a stream that has no channels. */
export function readerFrame(data: Buffer, protocol: string): Buffer | string {
  return isBase64(protocol) ? data.toString('base64') : data
}

/** What goes over the error channel at the end; undefined: nothing. */
export function finalMessage(status: Partial<Status>, protocol: string): string | undefined {
  if (/^v[45]\./.test(protocol)) return JSON.stringify(status)
  return status.status === 'Success' ? undefined : status.message
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

const zero = '0'.charCodeAt(0)

function isBase64(protocol: string): boolean {
  return protocol.includes('base64')
}
