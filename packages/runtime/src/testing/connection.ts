/** Both ends of a connection, in memory. */
import { Duplex } from 'node:stream'

class End extends Duplex {
  other: End | undefined
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.other?.push(chunk)
    done()
  }
  override _final(done: () => void): void {
    this.other?.push(null)
    done()
  }
}

export interface Connection {
  server: Duplex
  client: Duplex
  /** What the client has got. */
  received: () => Buffer
  /** The server has ended its side. */
  hasEnded: () => boolean
}

export function newConnection(): Connection {
  const [server, client] = [new End({ allowHalfOpen: true }), new End({ allowHalfOpen: true })]
  server.other = client
  client.other = server
  const chunks: Buffer[] = []
  let hasEnded = false
  client.on('data', (chunk: Buffer) => chunks.push(chunk))
  client.on('end', () => (hasEnded = true))
  return { server, client, received: () => Buffer.concat(chunks), hasEnded: () => hasEnded }
}
