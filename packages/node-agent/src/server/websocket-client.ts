/**
 * exec and attach over WebSocket channels: see channels.ts for the messages.
 */

import type { Status } from '@dinghy/shared/api/errors'
import type { AttachStreams } from '../docker/docker-client.ts'
import { channel, finalMessage, frame, readMessage } from './channels.ts'
import type { InputHandlers, OutputChannel, RemoteClient } from './remote-client.ts'
import type { NegotiatedWebSocket } from './upgrade.ts'

export class WebSocketClient implements RemoteClient {
  readonly #socket: NegotiatedWebSocket['socket']
  readonly #protocol: string
  readonly #streams: AttachStreams

  constructor({ socket, protocol }: NegotiatedWebSocket, streams: AttachStreams) {
    this.#socket = socket
    this.#protocol = protocol
    this.#streams = streams
    // What comes before the process is there must wait, not vanish.
    socket.pause()
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  receive({ stdin, stdinEnd, resize, gone }: InputHandlers): void {
    const socket = this.#socket
    socket.on('message', (data: Buffer) => {
      const message = readMessage(data, this.#protocol)
      if (message.type === 'stdinEnd') stdinEnd()
      if (message.type === 'resize') resize(message)
      if (message.type !== 'stdin' || message.data.length === 0) return
      socket.pause()
      void stdin(message.data).then(() => socket.resume())
    })
    socket.once('close', gone)
    socket.resume()
    // Tells the client that the connection stands, as upstream does. A client that is gone hears nothing.
    const { stdout, stderr } = this.#streams
    const lowest = stdout ? channel.stdout : stderr ? channel.stderr : channel.error
    socket.send(frame(lowest, Buffer.alloc(0), this.#protocol), () => undefined)
  }

  send(to: OutputChannel, data: Buffer): Promise<void> {
    return this.#send(channel[to], data)
  }

  async sendStatus(status: Partial<Status>): Promise<void> {
    const message = finalMessage(status, this.#protocol)
    if (message !== undefined) await this.#send(channel.error, Buffer.from(message))
  }

  close(): void {
    this.#socket.resume()
    this.#socket.close(1000)
  }

  #send(number: number, data: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const message = frame(number, data, this.#protocol)
      this.#socket.send(message, (error) => (error ? reject(error) : resolve()))
    })
  }
}
