/**
 * The debug server of every process: is it well, what does it count, and what do its control loops wait for. It listens
 * at once; the application that answers is made when the first connection comes, which is after a start: twelve
 * processes start at the same moment, and each would spend a tenth of its start on it.
 *
 *   GET  /livez /readyz /healthz   200 "ok" or 500 with one line a check; ?verbose shows the lines either way;
 *   GET  /metrics                  Prometheus text
 *   GET  /debug/queue              every work queue of this process: {"queues": {"<name>": {…}}}; ?queue=NAME for one
 *   GET  what addPage() added      JSON; e.g. the proxy's /debug/rules
 *   POST /debug/pause|resume|step  all queues, or ?queue=NAME; answers with what each queue did
 *
 * It can stop a cluster, so it answers only to programs of this machine: a request from a web page, or for a host name
 * that is not loopback (a rebound DNS name), is refused.
 */

import { createServer, type Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { StatusError } from '../api/errors.ts'
import { HttpError } from '../http/http-error.ts'
import { listenOn, parseListenAddress } from '../http/listen-address.ts'
import { isLocalRequest } from '../http/local-request.ts'
import { HttpServer } from '../http/server.ts'
import { debugQueues, type Gate } from '../reconcile/gate.ts'
import { type Health, healthText } from './health.ts'
import type { Metrics } from './metrics.ts'

/** A StatusError that it throws becomes the answer's code and text. */
export type DebugPage = (query: URLSearchParams, signal: AbortSignal) => unknown

export interface DebugServer {
  /** Where it listens: "http://127.0.0.1:34567", "unix:///run/a.sock". */
  readonly url: string
  /** Adds a page of the process' own: GET `path` answers with what `page` returns, as JSON. */
  addPage(path: string, page: DebugPage): void
  close(): Promise<void>
}

export interface DebugServerOptions {
  health: Health
  metrics: Metrics
  /** "host:port", where port 0 takes a free one, or "unix:FILE". */
  address: string
  queues?: ReadonlyMap<string, Gate>
}

export async function startDebugServer(options: DebugServerOptions): Promise<DebugServer> {
  const pages = new Map<string, DebugPage>()
  const listener = createServer({ pauseOnConnect: true })
  let server: HttpServer | undefined
  let receiver: Promise<(connection: Socket) => void> | undefined
  listener.on('connection', (connection) => {
    server ??= answering(options, pages)
    receiver ??= server.receiver()
    void receiver.then((receive) => receive(connection))
  })
  const { url } = await listenOn(listener, parseListenAddress(options.address))
  // A debug connection must not keep a process alive that has nothing else to do.
  listener.unref()
  return {
    url,
    addPage: (path, page) => void pages.set(path, page),
    close: async () => {
      listener.close()
      await server?.close(0)
    },
  }
}

function answering(
  { health, metrics, queues = debugQueues }: DebugServerOptions,
  pages: ReadonlyMap<string, DebugPage>,
): HttpServer {
  const server = new HttpServer({
    guard: (headers) => {
      if (!isLocalRequest(headers)) throw new HttpError(403, 'only programs of this machine may ask')
    },
    // Pages are added while the server runs, which Fastify's routes cannot be.
    notFound: async (request, reply) => {
      const { pathname, searchParams } = urlOf(request)
      const page = pages.get(pathname)
      if (!page) throw new HttpError(404, '404 page not found')
      return json(reply, await pageOf(page, searchParams, server.signalOf(request, reply)))
    },
  })
  server.app.addHook('onSend', async (_request, reply) => void reply.header('x-content-type-options', 'nosniff'))
  for (const endpoint of ['livez', 'readyz', 'healthz'] as const) {
    server.app.get(`/${endpoint}`, async (request, reply) => {
      const results = await health.run(endpoint)
      const isWell = results.every(({ ok }) => ok)
      const isVerbose = urlOf(request).searchParams.has('verbose')
      return text(reply.code(isWell ? 200 : 500), healthText(endpoint, results, isVerbose))
    })
  }
  server.app.get(
    '/metrics',
    async (_request, reply) => await reply.type(metrics.contentType).send(await metrics.text()),
  )
  server.app.get('/debug/queue', (request, reply) => onQueues(queues, request, reply, (queue) => queue.snapshot()))
  for (const [verb, act] of Object.entries(verbs)) {
    server.app.post(`/debug/${verb}`, (request, reply) => onQueues(queues, request, reply, act))
    server.app.get(`/debug/${verb}`, () => {
      throw new HttpError(405, `/debug/${verb} changes something: POST it`)
    })
  }
  return server
}

const verbs = {
  pause: (queue: Gate) => (queue.pause(), { paused: true, length: queue.length }),
  resume: (queue: Gate) => (queue.resume(), { paused: false, length: queue.length }),
  step: (queue: Gate) => ({ stepped: queue.step() ?? null, length: queue.length }),
}

function onQueues(
  queues: ReadonlyMap<string, Gate>,
  request: FastifyRequest,
  reply: FastifyReply,
  act: (queue: Gate) => unknown,
): FastifyReply {
  const wanted = urlOf(request).searchParams.getAll('queue')
  const missing = wanted.find((name) => !queues.has(name))
  if (missing !== undefined) {
    throw new HttpError(404, `no queue ${JSON.stringify(missing)}; this process has: ${[...queues.keys()].join(', ')}`)
  }
  const chosen = [...queues].filter(([name]) => wanted.length === 0 || wanted.includes(name))
  return json(reply, { queues: Object.fromEntries(chosen.map(([name, queue]) => [name, act(queue)])) })
}

async function pageOf(page: DebugPage, query: URLSearchParams, signal: AbortSignal): Promise<unknown> {
  try {
    return await page(query, signal)
  } catch (error) {
    if (error instanceof StatusError) throw new HttpError(error.code, error.message)
    throw error
  }
}

function urlOf(request: FastifyRequest): URL {
  return new URL(request.url, 'http://debug')
}

function json(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.type('application/json').send(`${JSON.stringify(body, undefined, 2)}\n`)
}

function text(reply: FastifyReply, body: string): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(body)
}
