// GET /containerLogs/{namespace}/{pod}/{container}: what a container has written, as plain text. The engine mixes two
// streams in one (stdcopy); a kubelet gives the lines of both in the order in which they came.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { DockerClient } from '../docker/docker-client.ts'
import { StdcopyParser } from '../docker/stdcopy.ts'
import type { ContainerLookup } from './container-lookup.ts'
import { logOptions } from './log-query.ts'

export async function serveContainerLogs(
  { docker, lookup }: { docker: DockerClient; lookup: ContainerLookup },
  [namespace = '', pod = '', name = '']: readonly string[],
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const options = logOptions(url.searchParams, Date.now())
  const { container, seen } = await lookup.forLogs(namespace, pod, name, options.previous)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const stream = await docker.logs(seen.id, options.docker, gone.signal)
  response.writeHead(200, { 'Content-Type': 'text/plain' })
  // A follower must learn that it is connected before the container says its first word.
  response.flushHeaders()
  try {
    for await (const piece of limited(payloads(stream, container.tty ?? false), options.limitBytes)) {
      if (!response.write(piece)) await once(response, 'drain', { signal: gone.signal })
    }
    response.end()
  } catch (error) {
    // Whoever was reading has gone; there is nobody left to tell.
    if (!gone.signal.aborted) response.destroy(error as Error)
  } finally {
    stream.destroy()
    request.resume()
  }
}

async function* payloads(stream: AsyncIterable<Buffer>, tty: boolean): AsyncIterable<Buffer> {
  if (tty) return yield* stream
  const parser = new StdcopyParser()
  for await (const chunk of stream) for (const { data } of parser.push(chunk)) yield data
}

async function* limited(pieces: AsyncIterable<Buffer>, limitBytes: number | undefined): AsyncIterable<Buffer> {
  let left = limitBytes ?? Infinity
  for await (const piece of pieces) {
    yield left < piece.length ? piece.subarray(0, left) : piece
    left -= piece.length
    if (left <= 0) return
  }
}
