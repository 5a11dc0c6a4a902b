/**
 * The kubelet's own HTTP server, on the node's address, port 10250. The API server comes here for logs, exec, attach
 * and port forwarding, and others if the API server says that they may (kubelet-access.ts).
 *
 *   guard (no web pages) ─► access ─► route ─► handler ──► text, JSON, a stream
 *                                       │         └──► upgrade.ts ─► WebSocket or SPDY ─► remote-command.ts, …
 *                                       └─ whatever is thrown ─► one error handler: upstream's plain text
 *
 * The API server makes a Status of those errors that it does not hand on as they are.
 *
 * Differs from upstream: there the API server ends a client's WebSocket and speaks SPDY with the kubelet. Here the
 * kubelet speaks both, so it answers for both: on a WebSocket, that a container cannot be reached is said on the
 * error channel.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '@dinghy/shared/api/clock'
import { badRequest, forbidden, toStatus } from '@dinghy/shared/api/errors'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { plainTextError, type ErrorAnswer } from '@dinghy/shared/http/http-error'
import { isLocalRequest } from '@dinghy/shared/http/local-request'
import type { ServerTls } from '@dinghy/shared/http/listen-address'
import { HttpServer } from '@dinghy/shared/http/server'
import type { DockerClient } from '../docker/docker-client.ts'
import { portForwardProtocols, readerProtocols, remoteCommandProtocols } from './channels.ts'
import { containerLog, sendLog, type ContainerRef } from './container-logs.ts'
import type { ContainerLookup } from './container-lookup.ts'
import type { KubeletAccess } from './kubelet-access.ts'
import { nodeLog } from './node-logs.ts'
import { serveChannelPortForward, serveSpdyPortForward, spdyTunnelProtocol } from './port-forward.ts'
import { portsOf, streamsOf } from './query.ts'
import type { RemoteClient } from './remote-client.ts'
import {
  attachProcess,
  execProcess,
  RemoteCommandError,
  serveRemoteCommand,
  type RemoteProcess,
} from './remote-command.ts'
import { SpdyClient } from './spdy-client.ts'
import type { StatsSummary } from './stats-summary.ts'
import { acceptUpgrade, acceptWebSocket, isWebSocket, type Upgraded } from './upgrade.ts'
import { WebSocketClient } from './websocket-client.ts'

export interface KubeletServerDeps {
  docker: DockerClient
  lookup: ContainerLookup
  stats: StatsSummary
  /** Where the node's components log; without it there are no node logs. */
  logDirectory: string | undefined
  /** Who may ask. Without it everybody who reaches this server, which is for tests. */
  access?: KubeletAccess | undefined
  clock: Clock
  log: Logger
}

type ContainerRequest = FastifyRequest<{ Params: ContainerRef }>
type PodRequest = FastifyRequest<{ Params: { namespace: string; pod: string } }>

export class KubeletServer {
  readonly #deps: KubeletServerDeps
  readonly #server: HttpServer
  /** Ids of stdinOnce containers whose one session has been served. */
  readonly #attached = new Set<string>()

  constructor(deps: KubeletServerDeps) {
    this.#deps = deps
    this.#server = new HttpServer({ errorHandler: plainText, guard: refuseWebPages, clock: deps.clock })
    const { lookup, stats, logDirectory } = deps
    const { app } = this.#server
    const { access } = deps
    if (access) {
      app.addHook('onRequest', async ({ raw }) => {
        const { authorization } = raw.headers
        const { method = '', url = '/', socket } = raw
        await access.check({ method, path: url.split('?')[0] ?? '', authorization, socket })
      })
    }
    app.get('/healthz', () => 'ok')
    app.get('/pods', () => ({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: lookup.pods() }))
    app.get('/stats/summary', () => stats.read(lookup.pods()))
    const showNodeLog = async ({ params }: FastifyRequest<{ Params: { '*'?: string } }>, reply: FastifyReply) => {
      const found = await nodeLog(logDirectory, params['*'] ?? '')
      return 'page' in found ? reply.type('text/html').send(found.page) : reply.type('text/plain').send(found.file)
    }
    app.get('/logs', showNodeLog)
    app.get('/logs/*', showNodeLog)
    app.get<{ Params: ContainerRef }>('/containerLogs/:namespace/:pod/:container', (request, reply) =>
      this.#log(request, reply),
    )
    const method = ['GET', 'POST']
    for (const verb of ['exec', 'attach'] as const) {
      app.route<{ Params: ContainerRef }>({
        method,
        url: `/${verb}/:namespace/:pod/:container`,
        handler: (request, reply) => this.#remoteCommand(verb, request, reply),
      })
    }
    app.route<{ Params: PodRequest['params'] }>({
      method,
      url: '/portForward/:namespace/:pod',
      handler: (request, reply) => this.#portForward(request, reply),
    })
  }

  /** Resolves to the port, which is another one only if 0 was asked for. */
  async listen(host: string, port: number, tls?: ServerTls): Promise<number> {
    return (await this.#server.listen({ host, port, tls })).port
  }

  /** Whoever follows a log or sits in a shell is cut off: the containers run on without this server. */
  async close(): Promise<void> {
    await this.#server.close(0)
  }

  async #log(request: ContainerRequest, reply: FastifyReply): Promise<void> {
    const log = await containerLog(this.#deps, request.params, queryOf(request), this.#server.signalOf(request, reply))
    if (isWebSocket(request)) {
      const client = await acceptWebSocket(request, reply, readerProtocols)
      return await sendLog(client, log)
    }
    reply.type('text/plain').send(log)
    // A follower must learn that it is connected before the container says its first word.
    reply.raw.flushHeaders()
  }

  async #remoteCommand(verb: 'exec' | 'attach', request: ContainerRequest, reply: FastifyReply): Promise<void> {
    const { clock, log } = this.#deps
    const query = queryOf(request)
    const streams = streamsOf(query)
    const begin = async (): Promise<() => Promise<RemoteProcess>> => {
      if (!streams.stdin && !streams.stdout && !streams.stderr) {
        throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
      }
      return await this.#process(verb, request.params, query)
    }
    // A SPDY client hears before the upgrade that there is nothing to be upgraded to.
    const foundEarly = isWebSocket(request) ? undefined : await begin()
    const protocols = { websocket: remoteCommandProtocols, spdy: 'v4.channel.k8s.io' }
    const upgraded = await acceptUpgrade(request, reply, protocols)
    await this.#untilGone(upgraded, request, async () => {
      // The client is made at once: a message may follow the handshake at once, and somebody must listen for it.
      const client: RemoteClient =
        upgraded.kind === 'websocket'
          ? new WebSocketClient(upgraded, streams)
          : await SpdyClient.accept(upgraded.socket, streams, clock)
      const start = async () => await (foundEarly ?? (await orUpgradeFailure(begin())))()
      await serveRemoteCommand(client, start, { tty: streams.tty, log })
    })
  }

  /** Throws when there is no such container; what is returned starts the process in it. */
  async #process(
    verb: 'exec' | 'attach',
    { namespace, pod, container: name }: ContainerRef,
    query: URLSearchParams,
  ): Promise<() => Promise<RemoteProcess>> {
    const { docker, lookup } = this.#deps
    const { container, seen } = await lookup.running(namespace, pod, name)
    const streams = streamsOf(query)
    if (verb === 'attach') {
      // A container that is made for one session (`kubectl run -i`) has shown nobody yet what it has said so far.
      const replay = container.stdinOnce === true && !this.#attached.has(seen.id)
      return async () => {
        const process = await attachProcess(docker, seen.id, streams, { replay })
        if (replay) this.#attached.add(seen.id)
        return process
      }
    }
    const command = query.getAll('command')
    if (command.length === 0) throw badRequest('you must specify a command for the container')
    return () => execProcess(docker, seen.id, command, streams)
  }

  async #portForward(request: PodRequest, reply: FastifyReply): Promise<void> {
    const { namespace, pod } = request.params
    const { podIP } = this.#deps.lookup.pod(namespace, pod).status
    if (!podIP) throw badRequest(`pod ${pod} has no address yet`)
    const websocket = [spdyTunnelProtocol, ...portForwardProtocols]
    const upgraded = await acceptUpgrade(request, reply, { websocket, spdy: 'portforward.k8s.io' })
    await this.#untilGone(upgraded, request, async () => {
      if (upgraded.kind === 'spdy') return await serveSpdyPortForward(upgraded.socket, podIP)
      if (upgraded.protocol !== spdyTunnelProtocol) {
        return serveChannelPortForward(upgraded, podIP, portsOf(queryOf(request)))
      }
      const { createWebSocketStream } = await import('ws')
      await serveSpdyPortForward(createWebSocketStream(upgraded.socket), podIP)
    })
  }

  /** Nobody answers any more for what goes wrong after the handshake. */
  async #untilGone({ kind, socket }: Upgraded, { url }: FastifyRequest, serve: () => Promise<void>): Promise<void> {
    try {
      await serve()
    } catch (error) {
      this.#deps.log.debug({ url, err: error }, 'an upgraded connection broke')
      if (kind === 'spdy') socket.destroy()
      else socket.terminate()
    }
  }
}

function queryOf({ raw }: FastifyRequest): URLSearchParams {
  return new URL(raw.url ?? '/', 'http://kubelet').searchParams
}

function refuseWebPages(headers: FastifyRequest['headers']): void {
  if (!isLocalRequest(headers)) throw forbidden('', 'nodes', '', 'only programs of this machine may ask')
}

/** The kit's own errors (no such path, a URL that cannot be read) carry their code; all others are Status errors. */
function plainText(error: unknown): ErrorAnswer {
  if (error instanceof Error && 'statusCode' in error) return plainTextError(error)
  const { code, message = '' } = toStatus(error)
  return { statusCode: code, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: message }
}

async function orUpgradeFailure<T>(found: Promise<T>): Promise<T> {
  return await found.catch((error: unknown) => {
    throw new RemoteCommandError(`unable to upgrade connection: ${(error as Error).message}`, { cause: error })
  })
}
