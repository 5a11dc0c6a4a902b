// exec and attach: a WebSocket on one side, a hijacked connection of the engine on the other, channels in between.
//
//   kubectl ══ channels ══► here ══ stdcopy or tty bytes ══► engine ─► process
//
// Callers may rely on: neither side can flood the other, because each message is waited for; when the process ends, its
// exit status goes out on channel 3 and the WebSocket is closed with 1000; when the client goes, the connection to the
// engine goes (the process itself stays, as with docker exec).

import { once } from 'node:events'
import type { WebSocket } from 'ws'
import type { Status } from '@dinghy/shared/api/errors'
import type { Logger } from '@dinghy/shared/client/logger'
import type { AttachStreams, DockerClient } from '../docker/docker-client.ts'
import type { HijackedStream } from '../docker/hijack.ts'
import { StdcopyParser } from '../docker/stdcopy.ts'
import { channel, exitStatus, failureStatus, frame, readMessage, type Protocol } from './channels.ts'

/** A process in the engine, however it was reached. */
export interface RemoteProcess {
  stream: HijackedStream
  resize: (height: number, width: number) => Promise<void>
  /** The Status to end with, asked for when the stream has ended. */
  outcome: () => Promise<Partial<Status>>
}

export async function execProcess(
  docker: DockerClient,
  containerId: string,
  command: string[],
  streams: AttachStreams,
): Promise<RemoteProcess> {
  const execId = await docker.createExec(containerId, command, streams)
  const stream = await docker.startExec(execId, streams.tty)
  return {
    stream,
    resize: (height, width) => docker.resizeExec(execId, height, width),
    outcome: async () => exitStatus((await docker.inspectExec(execId)).ExitCode ?? 0),
  }
}

export async function attachProcess(
  docker: DockerClient,
  containerId: string,
  streams: AttachStreams,
): Promise<RemoteProcess> {
  return {
    stream: await docker.attach(containerId, streams),
    resize: (height, width) => docker.resizeContainer(containerId, height, width),
    outcome: async () => exitStatus(0),
  }
}

/** Resolves when it is all over. */
export async function serveRemoteCommand(
  client: WebSocket,
  start: () => Promise<RemoteProcess>,
  { tty, log }: { tty: boolean; log: Logger },
): Promise<void> {
  // What comes before the process is there must wait, not vanish.
  client.pause()
  try {
    const process = await start()
    // Tells the client that the connection stands, as upstream does.
    await send(client, frame(channel.stdout, Buffer.alloc(0)))
    forwardInput(client, process, log)
    await forwardOutput(client, process.stream, tty)
    await send(client, statusFrame(await process.outcome()))
  } catch (error) {
    if (client.readyState !== client.OPEN) return
    const message = `error executing command in container: ${(error as Error).message}`
    await send(client, statusFrame(failureStatus(message)))
  } finally {
    client.resume()
    client.close(1000)
  }
}

function forwardInput(client: WebSocket, { stream, resize }: RemoteProcess, log: Logger): void {
  const { socket } = stream
  const protocol = client.protocol as Protocol
  client.on('message', (data: Buffer) => {
    const message = readMessage(data, protocol)
    if (message.type === 'stdinEnd') socket.end()
    if (message.type === 'stdin' && message.data.length > 0 && socket.writable && !socket.write(message.data)) {
      client.pause()
      once(socket, 'drain').then(
        () => client.resume(),
        // The process has ended with its input unread.
        () => client.resume(),
      )
    }
    if (message.type === 'resize') {
      resize(message.height, message.width).catch((error: unknown) => log.debug({ err: error }, 'resizing failed'))
    }
  })
  client.once('close', () => socket.destroy())
  client.resume()
}

async function forwardOutput(client: WebSocket, stream: HijackedStream, tty: boolean): Promise<void> {
  const parser = new StdcopyParser()
  for await (const chunk of stream) {
    if (tty) await send(client, frame(channel.stdout, chunk))
    else {
      for (const { stream, data } of parser.push(chunk)) await send(client, frame(channel[stream], data))
    }
  }
}

function statusFrame(status: Partial<Status>): Buffer {
  return frame(channel.error, Buffer.from(JSON.stringify(status)))
}

/** Resolves when the bytes have left, which is what holds the process back if the client is slow. */
function send(client: WebSocket, data: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    client.send(data, { binary: true }, (error) => (error ? reject(error) : resolve()))
  })
}
