/**
 * The runtime's end of a running container's streams: reads the FIFOs of its run directory into the log and to whoever
 * is attached, and writes attached clients' input. Can be opened at any time in the life of a run, by any runtime
 * process.
 */
import { EventEmitter } from 'node:events'
import { constants, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { acknowledge } from '../drivers/shim.ts'
import type { StreamName } from './log-format.ts'

export type OutputListener = (stream: StreamName, chunk: Buffer) => void

export class Stdio {
  readonly #runDir: string
  readonly #outputs: { stream: StreamName; socket: Socket; fd: number }[] = []
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  #stdin: Socket | undefined
  #holds = 0

  constructor(runDir: string) {
    this.#runDir = runDir
  }

  /** Opens the writing end of stdin. Before the start: a shim waits for a writer. */
  openStdin(): void {
    // Read-write never blocks, and needs no reader yet.
    const fd = openSync(join(this.#runDir, 'stdin'), constants.O_RDWR | constants.O_NONBLOCK)
    this.#stdin = new Socket({ fd, readable: false, writable: true })
    this.#stdin.on('error', () => this.#stdin?.destroy()) // the container went away with input unread
  }

  /** Starts reading. After the start: a FIFO without a writer looks like one that has ended. */
  openOutput(listener: OutputListener): void {
    this.#emitter.on('data', listener)
    for (const stream of ['stdout', 'stderr'] as const) {
      const fd = openSync(join(this.#runDir, stream), constants.O_RDONLY | constants.O_NONBLOCK)
      const socket = new Socket({ fd, readable: true, writable: false })
      socket.on('data', (chunk: Buffer) => this.#emitter.emit('data', stream, chunk))
      this.#outputs.push({ stream, socket, fd })
    }
  }

  /** The container's input; undefined when it has none, or when it has been closed. */
  get stdin(): Socket | undefined {
    return this.#stdin
  }

  /** Stops reading while a client cannot keep up, so that the container waits for it as it would for a terminal. */
  hold(): void {
    if (this.#holds++ === 0) for (const { socket } of this.#outputs) socket.pause()
  }

  release(): void {
    if (--this.#holds === 0) for (const { socket } of this.#outputs) socket.resume()
  }

  closeStdin(): void {
    this.#stdin?.end()
    this.#stdin = undefined
  }

  /** The container has exited: takes what is left in the FIFOs, then lets the shim go. */
  finish(): void {
    for (const { stream, socket, fd } of this.#outputs) {
      // The socket reads whenever the loop turns; between two turns the descriptor is ours.
      if (!socket.destroyed) for (const chunk of remaining(fd)) this.#emitter.emit('data', stream, chunk)
      socket.destroy()
    }
    this.#outputs.length = 0
    this.#stdin?.destroy()
    this.#stdin = undefined
    acknowledge(this.#runDir)
    this.#emitter.removeAllListeners()
  }
}

function* remaining(fd: number): Generator<Buffer> {
  const buffer = Buffer.alloc(64 * 1024)
  for (;;) {
    let length: number
    try {
      length = readSync(fd, buffer, 0, buffer.length, null)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return
      throw error
    }
    if (length === 0) return
    yield Buffer.from(buffer.subarray(0, length))
  }
}
