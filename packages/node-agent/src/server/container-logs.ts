/**
 * GET /containerLogs/{namespace}/{pod}/{container}: what a container has written, as plain text. The engine mixes two
 * streams in one (stdcopy); a kubelet gives the lines of both in the order in which they came.
 */

import type { ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { Clock } from '@dinghy/shared/api/clock'
import type { DockerClient } from '../docker/docker-client.ts'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import type { ContainerLookup } from './container-lookup.ts'
import { logOptions } from './log-query.ts'

export async function serveContainerLogs(
  { docker, lookup, clock }: { docker: DockerClient; lookup: ContainerLookup; clock: Clock },
  [namespace = '', pod = '', name = '']: readonly string[],
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const options = logOptions(url.searchParams, clock.now())
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
  }
}

async function* payloads(stream: AsyncIterable<Buffer>, tty: boolean): AsyncIterable<Buffer> {
  const parser = new StdcopyParser()
  for await (const chunk of stream) {
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
