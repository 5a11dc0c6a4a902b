/** Backends and clients of HTTP/1 for an IngressFixture, also those that say whatever a test likes. For tests only. */

import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  request,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { IngressFixture, portOf } from './ingress-fixture.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: string
  trailers: NodeJS.Dict<string>
}

export class Http1Fixture extends IngressFixture {
  readonly #servers: { close(): unknown }[] = []

  async backend(handler: Handler): Promise<{ server: Server; port: number }> {
    const server = createServer(handler)
    this.#servers.push({ close: () => (server.closeAllConnections(), server.close()) })
    return { server, port: await portOf(server) }
  }

  /** A backend that says exactly this, whatever it is asked. */
  async rawBackend(...answers: string[]): Promise<{ port: number; heard: string[]; close: () => void }> {
    const heard: string[] = []
    const sockets = new Set<Socket>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket
        .on('error', () => undefined)
        .on('data', (chunk) => {
          heard.push(chunk.toString('latin1'))
          socket.write(answers[heard.length - 1] ?? answers.at(-1) ?? '', 'latin1')
        })
    })
    const close = () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
    this.#servers.push({ close })
    return { port: await portOf(server), heard, close }
  }

  async ask(path: string, options: RequestOptions = {}, body?: string | Buffer): Promise<Answer> {
    const asked = request({ host: '127.0.0.1', port: this.http, path, agent: false, ...options })
    asked.end(body)
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const text = (await buffer(response)).toString()
    const { statusCode: status = 0, headers, trailers } = response
    return { status, headers, body: text, trailers }
  }

  /** Everything that comes for these bytes, until the connection ends or `until` has come. */
  async raw(text: string, until?: RegExp): Promise<string> {
    const socket = connect(this.http, '127.0.0.1')
    socket.write(text, 'latin1')
    let heard = ''
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      heard += chunk.toString('latin1')
      if (until?.test(heard)) break
    }
    socket.destroy()
    return heard
  }

  override async stop(): Promise<void> {
    await super.stop()
    for (const server of this.#servers) server.close()
  }
}
