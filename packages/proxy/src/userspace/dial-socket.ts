/**
 * A way into a node's network by a unix socket, for whoever stands outside of it and may not route there: an ordinary
 * user, whose nodes live in a user namespace.
 *
 *   client ── "CONNECT 172.30.0.11:30080\n" ──► proxy of the node ── connect ──► 172.30.0.11:30080
 *          ◄── "OK\n", then the connection's bytes, or "ERROR why\n" and the end
 *
 * The socket is its owner's alone: who may open it may reach everything that the node can.
 */

import { chmod, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { Backend } from '../rules/endpoints.ts'
import { join } from './forwarder.ts'

const longestLine = 100

export class DialSocket {
  readonly #server: Server
  readonly #connections = new Set<Socket>()

  constructor(log: Logger) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#connections.add(socket)
      socket.once('close', () => this.#connections.delete(socket))
      socket.on('error', (error) => log.debug({ err: error }, 'a connection to the dial socket failed'))
      void readLine(socket).then((line) => serve(socket, line))
    })
  }

  async listen(path: string): Promise<void> {
    await rm(path, { force: true })
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(path, resolve)
    })
    await chmod(path, 0o600)
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function serve(client: Socket, line: string | undefined): void {
  const [, host, port] = /^CONNECT ([\d.]+):(\d+)$/.exec(line ?? '') ?? []
  if (host === undefined) return void client.end('ERROR not understood\n')
  const upstream = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true, keepAlive: true })
  const refuse = (error: Error): void => void client.end(`ERROR ${error.message}\n`)
  upstream.once('error', refuse)
  client.once('close', () => upstream.destroy())
  upstream.once('connect', () => {
    upstream.removeListener('error', refuse)
    client.write('OK\n')
    join(client, upstream)
  })
}

/** Rejects as connect(2) would. */
export async function dialThrough(path: string, { address, port }: Backend): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', resolve)
  })
  socket.write(`CONNECT ${address}:${port}\n`)
  const answer = await readLine(socket)
  if (answer === 'OK') return socket
  socket.destroy()
  throw new Error(answer ?? 'the proxy of the node has gone')
}

/** The first line; what follows stays unread. Undefined if the connection ends before, or says too much. */
function readLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let line = Buffer.alloc(0)
    const done = (text: string | undefined): void => {
      socket.removeListener('readable', read)
      socket.removeListener('end', end)
      socket.removeListener('close', end)
      resolve(text)
    }
    const end = (): void => done(undefined)
    const read = (): void => {
      for (let byte = socket.read(1); byte !== null; byte = socket.read(1)) {
        if (byte[0] === 10) return done(line.toString())
        line = Buffer.concat([line, byte as Buffer])
        if (line.length > longestLine) return done(undefined)
      }
    }
    socket.on('readable', read)
    socket.once('end', end)
    socket.once('close', end)
  })
}
