/**
 * exec and attach: a client on one side, a hijacked connection of the engine on the other.
 *
 *   kubectl ══ channels or streams ══► here ══ stdcopy or tty bytes ══► engine ─► process
 *
 * Callers may rely on: neither side can flood the other, because each piece is waited for; when the process ends, its
 * exit status goes out as the last thing; when the client goes, the connection to the engine goes (the process itself
 * stays, as with docker exec).
 */

import type { Duplex } from 'node:stream'
import type { Status } from '@dinghy/shared/api/errors'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { AttachStreams, DockerClient } from '../docker/docker-client.ts'
import type { HijackedStream } from '@dinghy/shared/docker/engine'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import { exitStatus, failureStatus } from './channels.ts'
import type { RemoteClient } from './remote-client.ts'

/** A process in the engine, however it was reached. */
export interface RemoteProcess {
  stream: HijackedStream
  resize: (height: number, width: number) => Promise<void>
  /** The Status to end with, asked for when the stream has ended. */
  outcome: () => Promise<Partial<Status>>
}

/** Why there is no process to talk to, in the words that the client is to see. */
export class RemoteCommandError extends Error {}

export async function execProcess(
  docker: DockerClient,
  containerId: string,
  command: string[],
  streams: AttachStreams,
): Promise<RemoteProcess> {
  try {
    const execId = await docker.createExec(containerId, command, streams)
    const stream = await docker.startExec(execId, streams.tty)
    return {
      stream,
      resize: (height, width) => docker.resizeExec(execId, height, width),
      outcome: async () => exitStatus((await docker.inspectExec(execId)).ExitCode ?? 0),
    }
  } catch (error) {
    throw new RemoteCommandError(`error executing command in container: ${(error as Error).message}`, { cause: error })
  }
}

/** `replay`: what the container has written before comes first, so that every byte comes exactly once. */
export async function attachProcess(
  docker: DockerClient,
  containerId: string,
  streams: AttachStreams,
  { replay }: { replay: boolean },
): Promise<RemoteProcess> {
  const stream = await docker.attach(containerId, { ...streams, logs: replay }).catch((error: unknown) => {
    throw new RemoteCommandError(`error attaching to container: ${(error as Error).message}`, { cause: error })
  })
  // An engine lets one attach to a container that has just ended, and wait for a next run. There is none: a client that
  // hears so reads the log instead, where everything is that it has missed.
  const { State } = await docker.inspectContainer(containerId)
  if (!State.Running) {
    stream.socket.destroy()
    throw new RemoteCommandError(`error attaching to container: container ${containerId} is not running`)
  }
  return {
    stream,
    resize: (height, width) => docker.resizeContainer(containerId, height, width),
    outcome: async () => exitStatus(0),
  }
}

/** Resolves when it is all over. */
export async function serveRemoteCommand(
  client: RemoteClient,
  start: () => Promise<RemoteProcess>,
  { tty, log }: { tty: boolean; log: Logger },
): Promise<void> {
  try {
    const process = await start()
    forwardInput(client, process, log)
    await forwardOutput(client, process.stream, tty)
    await client.sendStatus(await process.outcome())
  } catch (error) {
    // A client that has gone needs no answer.
    if (!client.isOpen) return
    await client.sendStatus(failureStatus((error as Error).message))
  } finally {
    client.close()
  }
}

function forwardInput(client: RemoteClient, { stream, resize }: RemoteProcess, log: Logger): void {
  const { socket } = stream
  client.receive({
    stdin: async (data) => {
      if (!socket.writable || socket.write(data)) return
      await drained(socket)
    },
    stdinEnd: () => socket.end(),
    resize: ({ height, width }) => {
      resize(height, width).catch((error: unknown) => log.debug({ err: error }, 'resizing failed'))
    },
    gone: () => socket.destroy(),
  })
}

/** Either it takes more, or the process has ended with its input unread. Many wait here: no listener may stay. */
function drained(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.on('drain', done).on('close', done)
  })
}

async function forwardOutput(client: RemoteClient, stream: HijackedStream, tty: boolean): Promise<void> {
  const parser = new StdcopyParser()
  for await (const chunk of stream) {
    if (tty) await client.send('stdout', chunk)
    else for (const { stream, data } of parser.push(chunk)) await client.send(stream, data)
  }
}
