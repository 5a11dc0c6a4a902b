/**
 * Hijack: after `Upgrade: tcp` the engine stops speaking HTTP, and the connection carries a process' streams.
 *
 * Callers may rely on: `socket.end()` closes only our side (the process sees the end of its stdin) while its output
 * keeps arriving; bytes that came together with the response headers are not lost; a refusal is a DockerError.
 */

import { request, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { DockerError } from './docker-error.ts'

export interface HijackedStream {
  socket: Socket
  /** Stdcopy frames, or raw bytes with a tty. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer>
}

export function hijack(
  socketPath: string,
  path: string,
  body: string | undefined,
  signal?: AbortSignal,
): Promise<HijackedStream> {
  return new Promise((resolve, reject) => {
    const sent = request({
      socketPath,
      path,
      method: 'POST',
      headers: {
        Host: 'docker',
        Connection: 'Upgrade',
        Upgrade: 'tcp',
        'Content-Type': body === undefined ? 'text/plain' : 'application/json',
        'Content-Length': body === undefined ? 0 : Buffer.byteLength(body),
      },
      ...(signal ? { signal } : {}),
    })
    sent.once('upgrade', (_response: IncomingMessage, socket: Socket, head: Buffer) => {
      if (head.length > 0) socket.unshift(head)
      signal?.addEventListener('abort', () => socket.destroy(), { once: true })
      // A broken connection also ends the iteration below; without a listener it would end the process.
      socket.on('error', () => socket.destroy())
      resolve({ socket, [Symbol.asyncIterator]: () => socket[Symbol.asyncIterator]() as AsyncIterator<Buffer> })
    })
    // Without an upgrade the engine has refused, and says why in the body.
    sent.once('response', (response) => {
      readAll(response).then(
        (text) => reject(new DockerError(response.statusCode ?? 500, refusal(text))),
        (error: unknown) => reject(error as Error),
      )
    })
    // Not `once`: an aborted request may report its abort and then the broken connection.
    sent.on('error', (error) => reject(new DockerError(0, `cannot reach the container runtime: ${error.message}`)))
    sent.end(body)
  })
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

function refusal(text: string): string {
  if (!text.startsWith('{')) return text.trim()
  return (JSON.parse(text) as { message?: string }).message ?? text
}
