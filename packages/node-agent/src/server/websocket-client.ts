/**
 * exec and attach over WebSocket channels: see channels.ts for the messages.
 */

import type { WebSocket } from 'ws'
import { channel, frame, readMessage, type Protocol } from './channels.ts'
import type { InputHandlers, OutputChannel, RemoteClient } from './remote-client.ts'

export class WebSocketClient implements RemoteClient {
  readonly #socket: WebSocket

  constructor(socket: WebSocket) {
    this.#socket = socket
    // What comes before the process is there must wait, not vanish.
    socket.pause()
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  receive({ stdin, stdinEnd, resize, gone }: InputHandlers): void {
    const socket = this.#socket
    const protocol = socket.protocol as Protocol
    socket.on('message', (data: Buffer) => {
      const message = readMessage(data, protocol)
      if (message.type === 'stdinEnd') stdinEnd()
      if (message.type === 'resize') resize(message)
      if (message.type !== 'stdin' || message.data.length === 0) return
      socket.pause()
      void stdin(message.data).then(() => socket.resume())
    })
    socket.once('close', gone)
    socket.resume()
    // Tells the client that the connection stands, as upstream does. A client that is gone hears nothing.
    socket.send(frame(channel.stdout, Buffer.alloc(0)), () => undefined)
  }

  send(to: OutputChannel, data: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(frame(channel[to], data), { binary: true }, (error) => (error ? reject(error) : resolve()))
    })
  }

  close(): void {
    this.#socket.resume()
    this.#socket.close(1000)
  }
}
