/**
 * `docker attach`: a client's connection to the streams of a container, in frames or, with a TTY, bare.
 *
 * With `logs` what the container has said so far comes first, then what it says from now on: every byte exactly once,
 * the beginning of a line that is not in the log yet included. One that has ended says no more then; without `logs` a
 * client waits for its next run, as `docker start -a` does.
 */
import type { Duplex } from 'node:stream'
import { frame } from '@dinghy/shared/docker/stdcopy'
import type { Container } from './container.ts'
import { untilDetached } from './detach-keys.ts'
import type { StreamName } from './log-format.ts'
import { LogReader } from './log-reader.ts'

export interface AttachOptions {
  streams: readonly StreamName[]
  stdin: boolean
  logs: boolean
  stream: boolean
  /** What ends the connection and leaves the program running, when typed on a terminal. */
  detachKeys: Buffer
  onDetach: () => void
}

/**
 * The headers have been written and go out alone: some clients (docker-py) throw away what they read together with
 * them.
 */
export function attach(container: Container, socket: Duplex, options: AttachOptions): void {
  setImmediate(() => connect(container, socket, options))
}

function connect(container: Container, socket: Duplex, options: AttachOptions): void {
  const { streams } = options
  const { Tty, OpenStdin } = container.record.config
  const encode = (stream: StreamName, chunk: Buffer) => (Tty ? chunk : frame(stream, chunk))
  if (options.logs) for (const bytes of saidSoFar(container, streams, Tty)) socket.write(bytes)
  if (!options.stream || (options.logs && container.state.status === 'exited')) {
    socket.end()
    socket.resume()
    return
  }
  const gone = new AbortController()
  socket.on('close', () => gone.abort())
  socket.on('error', () => socket.destroy())
  container.attachments.subscribe(
    (stream, chunk) => {
      if (!streams.includes(stream) || socket.destroyed) return
      if (!socket.write(encode(stream, chunk))) holdUntilDrained(container, socket)
    },
    () => socket.end(),
    gone.signal,
  )
  const detach = () => {
    gone.abort()
    socket.end()
    options.onDetach()
  }
  if (options.stdin && OpenStdin)
    container.attachments.addInput(Tty ? untilDetached(socket, options.detachKeys, detach) : socket)
  // Without stdin the client half-closes at once: that must be read to be noticed, and does not end the output.
  else socket.resume()
}

function* saidSoFar({ log }: Container, streams: readonly StreamName[], raw: boolean): Generator<Buffer> {
  if (log === undefined) return
  const reader = new LogReader(
    log,
    { streams: [...streams], since: undefined, until: undefined, tail: undefined },
    { raw, timestamps: false },
  )
  for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) yield bytes
  reader.close()
  for (const [stream, rest] of log.unfinished) {
    if (rest.length > 0 && streams.includes(stream)) yield raw ? rest : frame(stream, rest)
  }
}

function holdUntilDrained(container: Container, socket: Duplex): void {
  const { stdio } = container
  if (stdio === undefined) return
  stdio.hold()
  let isHeld = true
  const release = () => {
    if (isHeld) stdio.release()
    isHeld = false
  }
  socket.once('drain', release)
  socket.once('close', release)
}
