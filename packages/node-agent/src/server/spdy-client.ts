/**
 * exec and attach over SPDY (v4.channel.k8s.io), which is what kubectl up to 1.29 speaks: each channel is a stream of
 * its own, named by its "streamtype" header, and the command begins when all of them are there.
 */

import type { Duplex } from 'node:stream'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Status } from '@dinghy/shared/api/errors'
import type { AttachStreams } from '../docker/docker-client.ts'
import { readSize, type InputHandlers, type OutputChannel, type RemoteClient } from './remote-client.ts'
import { SpdySession, type SpdyStream } from './spdy/session.ts'

const patienceMs = 30_000

export class SpdyClient implements RemoteClient {
  readonly #session: SpdySession
  readonly #streams = new Map<string, SpdyStream>()
  #isOpen = true
  #arrived: () => void = () => undefined
  #onGone: () => void = () => undefined

  private constructor(connection: Duplex) {
    this.#session = new SpdySession(connection, (stream) => {
      this.#streams.set(stream.headers['streamtype'] ?? '', stream)
      this.#arrived()
    })
  }

  /** Resolves when the client has opened every stream that it asked for. */
  static async accept(
    connection: Duplex,
    { stdin, stdout, stderr, tty }: AttachStreams,
    clock: Clock,
  ): Promise<SpdyClient> {
    const client = new SpdyClient(connection)
    const wanted = ['error', ...(stdin ? ['stdin'] : []), ...(stdout ? ['stdout'] : []), ...(stderr ? ['stderr'] : [])]
    if (tty) wanted.push('resize')
    const over = client.#session.run().finally(() => {
      client.#isOpen = false
      client.#onGone()
    })
    const complete = new Promise<void>((resolve, reject) => {
      const timer = clock.setTimeout(
        () => reject(new Error('timed out waiting for client to create streams')),
        patienceMs,
      )
      client.#arrived = () => {
        if (!wanted.every((type) => client.#streams.has(type))) return
        clock.clear(timer)
        resolve()
      }
      // Once complete, this settles nothing any more; an end in the middle is the client's own doing.
      over.then(() => reject(new Error('the client has gone')), reject).finally(() => clock.clear(timer))
    })
    await complete
    return client
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  receive({ stdin, stdinEnd, resize, gone }: InputHandlers): void {
    this.#onGone = gone
    const input = this.#streams.get('stdin')
    input?.on('data', (data: Buffer) => {
      input.pause()
      void stdin(data).then(() => input.resume())
    })
    input?.once('end', stdinEnd)
    this.#streams.get('resize')?.on('data', (data: Buffer) => {
      for (const line of data.toString('utf8').trim().split('\n')) {
        const size = readSize(line)
        if (size) resize(size)
      }
    })
  }

  send(to: OutputChannel, data: Buffer): Promise<void> {
    return this.#send(to, data)
  }

  sendStatus(status: Partial<Status>): Promise<void> {
    return this.#send('error', Buffer.from(JSON.stringify(status)))
  }

  /** The client closes the connection itself when it has heard the end of every stream. */
  close(): void {
    for (const stream of this.#streams.values()) stream.end()
  }

  #send(to: OutputChannel | 'error', data: Buffer): Promise<void> {
    const stream = this.#streams.get(to)
    return new Promise((resolve, reject) => {
      if (!stream?.writable) return resolve()
      stream.write(data, (error) => (error ? reject(error) : resolve()))
    })
  }
}
