/**
 * The sockets of a DNS server: UDP, and TCP for answers that are too long for it (and whoever prefers it).
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Logger } from '../process/logger.ts'
import { lengthPrefix } from './forwarder.ts'
import { fitToUdp, type Query } from './reply.ts'

export interface Resolver {
  /** The answer as it goes over TCP, and the question; undefined where `from` (an address) gets none. */
  answer(message: Buffer, from: string): Promise<{ query: Query; reply: Buffer } | undefined>
}

export interface ServerOptions {
  host: string
  /** 0 takes any that is free for both. */
  port: number
  resolver: Resolver
  /** How many connections one address may have: the others want to be answered, too. */
  connectionsOfOne?: number
  log: Logger
}

export interface DnsServer {
  port: number
  close(): Promise<void>
}

/** A connection on which nothing is asked for this long is closed. */
const idleMs = 10_000
/** A question is never that long; whoever sends more means no good. */
const mostQueryBytes = 4096
const mostConnections = 1000
/** Who asks and does not read what comes back is not waited for. */
const mostUnreadBytes = 1 << 20

export async function listen(options: ServerOptions): Promise<DnsServer> {
  const { host, port, resolver, connectionsOfOne = mostConnections, log } = options
  const connections = new Set<Socket>()
  const tcp = createServer({ noDelay: true }, (socket) => {
    const { remoteAddress } = socket
    const ofTheSame = [...connections].filter((other) => other.remoteAddress === remoteAddress)
    if (remoteAddress === undefined || ofTheSame.length >= connectionsOfOne) {
      socket.destroy()
      return
    }
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    serveConnection(socket, remoteAddress, resolver, log)
  })
  tcp.maxConnections = mostConnections
  tcp.listen({ host, port })
  await once(tcp, 'listening')
  const address = tcp.address()
  const bound = typeof address === 'object' && address ? address.port : port
  const udp = createSocket('udp4')
  udp.bind(bound, host)
  try {
    await once(udp, 'listening')
  } catch (error) {
    tcp.close()
    throw error
  }
  udp.on('message', (message, from) => {
    void resolver
      .answer(message, from.address)
      .then((made) => {
        if (made) udp.send(fitToUdp(made.query, made.reply), from.port, from.address)
      })
      .catch((error: unknown) => log.warn({ err: error }, 'a question could not be answered'))
  })
  // A client that has gone before its answer came.
  udp.on('error', (error) => log.debug({ err: error }, 'udp'))
  return {
    port: bound,
    async close() {
      const closed = [once(udp, 'close'), once(tcp, 'close')]
      udp.close()
      tcp.close()
      for (const socket of connections) socket.destroy()
      await Promise.all(closed)
    },
  }
}

function serveConnection(socket: Socket, from: string, resolver: Resolver, log: Logger): void {
  socket.on('error', (error) => log.debug({ err: error }, 'tcp'))
  socket.setTimeout(idleMs, () => socket.destroy())
  let received: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    while (received.length >= 2) {
      const length = received.readUInt16BE(0)
      if (length > mostQueryBytes) socket.destroy()
      if (received.length < length + 2 || socket.destroyed) return
      const message = received.subarray(2, length + 2)
      received = received.subarray(length + 2)
      void resolver
        .answer(message, from)
        .then((made) => {
          if (!made || !socket.writable) return
          socket.write(Buffer.concat([lengthPrefix(made.reply), made.reply]))
          if (socket.writableLength > mostUnreadBytes) socket.destroy()
        })
        .catch((error: unknown) => log.warn({ err: error }, 'a question could not be answered'))
    }
  })
}
