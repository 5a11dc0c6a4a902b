/** What a hostile client of the sockets can do to the others: not much. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { streamEncode } from 'dns-packet'
import { afterEach, test } from 'vitest'
import { systemClock } from '../api/clock.ts'
import { createLogger } from '../process/logger.ts'
import { makeReply, readQuery } from './reply.ts'
import { type DnsServer, listen, type Resolver } from './server.ts'

const question = streamEncode({ type: 'query', id: 1, questions: [{ type: 'TXT', name: 'long.example' }] })
const longText = Array.from({ length: 200 }, () => 'x'.repeat(250))
/** Answers everything with 50 KB. */
const resolver: Resolver = {
  answer: (message) => {
    const query = readQuery(message)
    if (!query) return Promise.resolve(undefined)
    const answers = [{ name: 'long.example', type: 'TXT' as const, ttl: 1, data: longText }]
    return Promise.resolve({ query, reply: makeReply(query, { answers }) })
  },
}

let server: DnsServer
const clients: Socket[] = []
afterEach(async () => {
  for (const client of clients) client.destroy()
  await server.close()
})

async function open(connectionsOfOne: number): Promise<void> {
  const log = createLogger({ name: 'dns', clock: systemClock, write: () => undefined })
  server = await listen({ host: '127.0.0.1', port: 0, resolver, connectionsOfOne, log })
}
function client(localAddress: string): Socket {
  const socket = connect({ host: '127.0.0.1', port: server.port, localAddress })
  clients.push(socket)
  return socket
}

test('one address has so many connections and no more; others have theirs', async () => {
  await open(2)
  const kept = [client('127.0.0.1'), client('127.0.0.1')]
  await Promise.all(kept.map((socket) => once(socket, 'connect')))
  await once(client('127.0.0.1'), 'close')
  for (const socket of [...kept, client('127.0.0.2')]) {
    socket.write(question)
    await once(socket, 'data')
  }
})

test('who asks and asks and reads nothing is cut off', async () => {
  await open(1)
  const greedy = client('127.0.0.1')
  greedy.pause()
  greedy.on('error', () => undefined)
  while (!greedy.destroyed) {
    greedy.write(question)
    await setImmediate()
  }
})
