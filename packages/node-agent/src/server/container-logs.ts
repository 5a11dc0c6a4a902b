/**
 * /containerLogs/{namespace}/{pod}/{container}: what a container has written, as plain text or, if the client asks
 * for a WebSocket, in messages. The engine mixes two streams in one (stdcopy); a kubelet gives the lines of both in
 * the order in which they came.
 */

import { Readable } from 'node:stream'
import type { Clock } from '@dinghy/shared/api/clock'
import type { DockerClient } from '../docker/docker-client.ts'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import { readerFrame } from './channels.ts'
import type { ContainerLookup } from './container-lookup.ts'
import { logOptions } from './log-query.ts'
import type { NegotiatedWebSocket } from './upgrade.ts'

export interface ContainerRef {
  namespace: string
  pod: string
  container: string
}

/** Throws what the client is to hear instead; the stream itself begins when it is read. */
export async function containerLog(
  { docker, lookup, clock }: { docker: DockerClient; lookup: ContainerLookup; clock: Clock },
  { namespace, pod, container: name }: ContainerRef,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<Readable> {
  const options = logOptions(query, clock.now())
  const { seen } = await lookup.forLogs(namespace, pod, name, options.previous)
  const stream = await docker.logs(seen.id, options.docker, signal)
  return Readable.from(limited(payloads(stream, seen.tty), options.limitBytes), { objectMode: false })
}

/** Follows upstream's wsstream.Reader: an empty message first, which says that the connection stands. */
export async function sendLog({ socket, protocol }: NegotiatedWebSocket, log: Readable): Promise<void> {
  const send = (data: Buffer) =>
    new Promise<void>((resolve, reject) => {
      socket.send(readerFrame(data, protocol), (error) => (error ? reject(error) : resolve()))
    })
  socket.once('close', () => log.destroy())
  try {
    await send(Buffer.alloc(0))
    for await (const piece of log) await send(piece as Buffer)
  } catch (error) {
    // Whoever was reading may have gone; there is nobody left to tell.
    if (socket.readyState === socket.OPEN) throw error
  } finally {
    socket.close(1000)
  }
}

async function* payloads(stream: Readable, tty: boolean): AsyncIterable<Buffer> {
  const parser = new StdcopyParser()
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (tty) yield chunk
    else for (const { data } of parser.push(chunk)) yield data
  }
}

async function* limited(pieces: AsyncIterable<Buffer>, limitBytes: number | undefined): AsyncIterable<Buffer> {
  let left = limitBytes ?? Infinity
  for await (const piece of pieces) {
    yield left < piece.length ? piece.subarray(0, left) : piece
    left -= piece.length
    if (left <= 0) return
  }
}
