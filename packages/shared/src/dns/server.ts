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
  /** The answer as it goes over TCP, and the question; undefined where there is nothing to answer to. */
  answer(message: Buffer): Promise<{ query: Query; reply: Buffer } | undefined>
}

export interface ServerOptions {
  host: string
  /** 0 takes any that is free for both. */
  port: number
  resolver: Resolver
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

export async function listen({ host, port, resolver, log }: ServerOptions): Promise<DnsServer> {
  const connections = new Set<Socket>()
  const tcp = createServer({ noDelay: true }, (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    serveConnection(socket, resolver, log)
  })
  tcp.listen({ host, port })
  await once(tcp, 'listening')
  const address = tcp.address()
  const bound = typeof address === 'object' && address ? address.port : port
  const udp = createSocket('udp4')
  udp.bind(bound, host)
  await once(udp, 'listening')
  udp.on('message', (message, from) => {
    void resolver
      .answer(message)
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

function serveConnection(socket: Socket, resolver: Resolver, log: Logger): void {
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
        .answer(message)
        .then((made) => made && socket.writable && socket.write(Buffer.concat([lengthPrefix(made.reply), made.reply])))
        .catch((error: unknown) => log.warn({ err: error }, 'a question could not be answered'))
    }
  })
}
