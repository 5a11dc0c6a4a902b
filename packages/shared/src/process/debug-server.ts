/**
 * The debug server of every process: is it well, what does it count, and what do its control loops wait for.
 *
 *   GET  /livez /readyz /healthz   200 "ok" or 500 with one line a check; ?verbose shows the lines either way
 *   GET  /metrics                  Prometheus text
 *   GET  /debug/queue              every work queue of this process: {"queues": {"<name>": {…}}}; ?queue=NAME for one
 *   GET  what addPage() added      JSON; e.g. the proxy's /debug/rules
 *   POST /debug/pause|resume|step  all queues, or ?queue=NAME; answers with what each queue did
 *
 * It can stop a cluster, so it answers only to programs of this machine: a request from a web page, or for a host name
 * that is not loopback (a rebound DNS name), is refused.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { debugQueues, type Gate } from '../reconcile/gate.ts'
import { healthText, type Health } from './health.ts'
import { isLocalRequest } from '../http/local-request.ts'
import type { Metrics } from './metrics.ts'

export interface DebugServer {
  /** Where it listens: "http://127.0.0.1:34567". */
  readonly url: string
  /** Adds a page of the process' own: GET `path` answers with `page()` as JSON. */
  addPage(path: string, page: () => unknown): void
  close(): Promise<void>
}

export interface DebugServerOptions {
  health: Health
  metrics: Metrics
  /** "host:port"; port 0 takes a free one. */
  address: string
  queues?: ReadonlyMap<string, Gate>
}

export async function startDebugServer(options: DebugServerOptions): Promise<DebugServer> {
  const { health, metrics, address, queues = debugQueues } = options
  const pages: Served['pages'] = new Map()
  const server = createServer((request, response) => {
    answer(request, { health, metrics, queues, pages }).then(
      (reply) => send(response, reply),
      (error: unknown) => send(response, text(500, error instanceof Error ? error.message : String(error))),
    )
  })
  // A debug connection must not keep a process alive that has nothing else to do.
  server.unref()
  const url = await listen(server, address)
  return { url, addPage: (path, page) => void pages.set(path, page), close: () => close(server) }
}

interface Reply {
  code: number
  type: string
  body: string
}

type Served = Required<Pick<DebugServerOptions, 'health' | 'metrics' | 'queues'>> & {
  pages: Map<string, () => unknown>
}

async function answer(request: IncomingMessage, { health, metrics, queues, pages }: Served): Promise<Reply> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (!isLocalRequest(request.headers)) return text(403, 'only programs of this machine may ask')
  switch (pathname) {
    case '/livez':
    case '/readyz':
    case '/healthz': {
      const endpoint = pathname.slice(1) as 'livez' | 'readyz' | 'healthz'
      const results = await health.run(endpoint)
      const verbose = searchParams.has('verbose')
      return text(results.every(({ ok }) => ok) ? 200 : 500, healthText(endpoint, results, verbose))
    }
    case '/metrics':
      return { code: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metrics.text() }
    case '/debug/queue':
      return onQueues(queues, searchParams, (queue) => queue.snapshot())
    case '/debug/pause':
    case '/debug/resume':
    case '/debug/step':
      if (request.method !== 'POST') return text(405, `${pathname} changes something: POST it`)
      return onQueues(queues, searchParams, verbs[pathname])
    default: {
      const page = pages.get(pathname)
      return page ? json(page()) : text(404, '404 page not found')
    }
  }
}

const verbs = {
  '/debug/pause': (queue: Gate) => (queue.pause(), { paused: true, length: queue.length }),
  '/debug/resume': (queue: Gate) => (queue.resume(), { paused: false, length: queue.length }),
  '/debug/step': (queue: Gate) => ({ stepped: queue.step() ?? null, length: queue.length }),
}

function onQueues(queues: ReadonlyMap<string, Gate>, query: URLSearchParams, act: (queue: Gate) => unknown): Reply {
  const wanted = query.getAll('queue')
  const missing = wanted.find((name) => !queues.has(name))
  if (missing !== undefined) {
    return text(404, `no queue ${JSON.stringify(missing)}; this process has: ${[...queues.keys()].join(', ')}`)
  }
  const chosen = [...queues].filter(([name]) => wanted.length === 0 || wanted.includes(name))
  return json({ queues: Object.fromEntries(chosen.map(([name, queue]) => [name, act(queue)])) })
}

function json(body: unknown): Reply {
  return { code: 200, type: 'application/json', body: `${JSON.stringify(body, undefined, 2)}\n` }
}

function text(code: number, body: string): Reply {
  return { code, type: 'text/plain; charset=utf-8', body }
}

function send(response: ServerResponse, { code, type, body }: Reply): void {
  response.writeHead(code, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body)
}

function listen(server: Server, address: string): Promise<string> {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port: Number(address.slice(colon + 1)) }, () => {
      server.removeListener('error', reject)
      const bound = server.address()
      const port = typeof bound === 'object' && bound !== null ? bound.port : 0
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${port}`)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
