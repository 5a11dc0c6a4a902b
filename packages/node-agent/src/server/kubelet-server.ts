/**
 * The kubelet's own HTTP server, on the node's address, port 10250. The API server comes here for logs, exec, attach and
 * port forwarding; nobody else should, and since there is no TLS, the address is one that only this machine can reach.
 * Its errors are plain text; the API server makes a Status of those that it does not hand on as they are.
 *
 * Differs from upstream: there the API server ends a client's WebSocket and speaks SPDY with the kubelet. Here the kubelet
 * speaks both, so it answers for both: on a WebSocket, that a container cannot be reached is said on the error channel.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@dinghy/shared/api/clock'
import { badRequest, forbidden, notFound, toStatus } from '@dinghy/shared/api/errors'
import type { Logger } from '@dinghy/shared/client/logger'
import { isLocalRequest } from '@dinghy/shared/http/local-request'
import type { AttachStreams, DockerClient } from '../docker/docker-client.ts'
import { protocols } from './channels.ts'
import type { ContainerLookup } from './container-lookup.ts'
import { serveContainerLogs } from './container-logs.ts'
import { portsOf, serveChannelPortForward, serveSpdyPortForward, spdyTunnelProtocol } from './port-forward.ts'
import { attachProcess, execProcess, RemoteCommandError, serveRemoteCommand } from './remote-command.ts'
import { SpdyClient } from './spdy-client.ts'
import type { StatsSummary } from './stats-summary.ts'
import { acceptUpgrade, isWebSocket, refuseUpgrade } from './upgrade.ts'
import { WebSocketClient } from './websocket-client.ts'

export interface KubeletServerOptions {
  docker: DockerClient
  lookup: ContainerLookup
  stats: StatsSummary
  clock: Clock
  log: Logger
}

export class KubeletServer {
  readonly #options: KubeletServerOptions
  readonly #server: Server

  constructor(options: KubeletServerOptions) {
    this.#options = options
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => this.#refuse(response, error))
    })
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head).then(
        (serve) => this.#serveUpgraded(serve, request, socket),
        (error: unknown) => refuseUpgrade(socket, error),
      )
    })
  }

  /** Resolves to the port, which is another one only if 0 was asked for. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { lookup, stats } = this.#options
    const { url, verb, rest } = parse(request)
    switch (verb) {
      case 'healthz':
        return void response.end('ok')
      case 'pods':
        return json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: lookup.pods() })
      case 'stats':
        return json(response, await stats.read(lookup.pods()))
      case 'containerLogs':
        return await serveContainerLogs(this.#options, rest, url, response)
      case 'exec':
      case 'attach':
      case 'portForward':
        throw badRequest(
          'you must specify at least 1 of stdin, stdout, stderr, and upgrade the connection to a WebSocket',
        )
      default:
        throw notFound('', url.pathname, '')
    }
  }

  /** Up to the answer to the handshake errors are answers; what comes after it is in the returned function. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<() => Promise<void>> {
    const { verb, rest, url } = parse(request)
    if (verb === 'portForward') return await this.#portForward(request, socket, head, rest, url.searchParams)
    if (verb !== 'exec' && verb !== 'attach') throw notFound('', url.pathname, '')
    const { docker, lookup, clock, log } = this.#options
    const [namespace = '', podName = '', containerName = ''] = rest
    const streams = streamsOf(url.searchParams)
    const command = url.searchParams.getAll('command')
    const find = async (): Promise<string> => {
      const { seen } = await lookup.running(namespace, podName, containerName)
      if (verb === 'exec' && command.length === 0) throw badRequest('you must specify a command for the container')
      return seen.id
    }
    const run = (id: string) =>
      verb === 'exec' ? execProcess(docker, id, command, streams) : attachProcess(docker, id, streams)
    // A SPDY client hears before the upgrade that there is nothing to be upgraded to.
    const foundEarly = isWebSocket(request) ? undefined : await find()
    const upgraded = await acceptUpgrade(request, socket, head, { websocket: protocols, spdy: 'v4.channel.k8s.io' })
    // Begun now, lest a message that follows at once finds nobody listening.
    const accepted =
      upgraded.kind === 'websocket'
        ? new WebSocketClient(upgraded.socket)
        : SpdyClient.accept(upgraded.socket, streams, clock)
    const start = async () => await run(foundEarly ?? (await orUpgradeFailure(find())))
    return async () => {
      await serveRemoteCommand(await accepted, start, { tty: streams.tty, log })
    }
  }

  async #portForward(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    [namespace = '', podName = '']: string[],
    query: URLSearchParams,
  ): Promise<() => Promise<void>> {
    const { podIP } = this.#options.lookup.pod(namespace, podName).status
    if (!podIP) throw badRequest(`pod ${podName} has no address yet`)
    const websocket = [spdyTunnelProtocol, 'v4.channel.k8s.io']
    const upgraded = await acceptUpgrade(request, socket, head, { websocket, spdy: 'portforward.k8s.io' })
    if (upgraded.kind === 'spdy') return () => serveSpdyPortForward(upgraded.socket, podIP)
    const client = upgraded.socket
    if (client.protocol !== spdyTunnelProtocol) {
      serveChannelPortForward(client, podIP, portsOf(query))
      return async () => undefined
    }
    const { createWebSocketStream } = await import('ws')
    const tunnel = createWebSocketStream(client)
    return () => serveSpdyPortForward(tunnel, podIP)
  }

  #serveUpgraded(serve: () => Promise<void>, request: IncomingMessage, socket: Duplex): void {
    serve().catch((error: unknown) => {
      this.#options.log.debug({ err: error, url: request.url }, 'an upgraded connection ended in an error')
      socket.destroy()
    })
  }

  #refuse(response: ServerResponse, error: unknown): void {
    const status = toStatus(error)
    if ((status.code ?? 500) >= 500) this.#options.log.warn({ err: error }, 'a request to the kubelet server failed')
    if (response.headersSent) return void response.destroy()
    response.writeHead(status.code ?? 500, { 'Content-Type': 'text/plain; charset=utf-8' }).end(status.message)
  }
}

/** Also the one place that all requests pass: a web page may not ask, neither by HTTP nor by WebSocket. */
function parse(request: IncomingMessage): { url: URL; verb: string; rest: string[] } {
  if (!isLocalRequest(request.headers)) throw forbidden('', 'nodes', '', 'only programs of this machine may ask')
  const url = new URL(request.url ?? '/', 'http://kubelet')
  const [verb = '', ...rest] = url.pathname.split('/').slice(1).map(decodeURIComponent)
  return { url, verb, rest }
}

async function orUpgradeFailure<T>(found: Promise<T>): Promise<T> {
  return await found.catch((error: unknown) => {
    throw new RemoteCommandError(`unable to upgrade connection: ${(error as Error).message}`, { cause: error })
  })
}

/** The API server's names for the streams, and the kubelet's own older ones. */
function streamsOf(query: URLSearchParams): AttachStreams {
  const has = (...names: string[]) => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''))
  const tty = has('tty')
  // A terminal has one stream: what a program says to stderr comes out of stdout.
  return { stdin: has('stdin', 'input'), stdout: has('stdout', 'output'), stderr: !tty && has('stderr', 'error'), tty }
}

function json(response: ServerResponse, body: unknown, code = 200): void {
  response.writeHead(code, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
