/**
 * Where audit events go: a file of lines, each an event in JSON, that is cut when it has become large. The older pieces
 * lie beside it, with the time of the cut in their names, as upstream's (lumberjack's) do. All of them are their
 * owner's alone: whoever may read them knows what everybody does here.
 */

import {
  createWriteStream,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  type WriteStream,
} from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'

export interface AuditLog {
  write(event: object): void
  /** Resolves when all of it is in the file. */
  close(): Promise<void>
}

export interface AuditLogOptions {
  /** "-" for standard output. */
  path: string
  maxBytes: number
  /** How many older pieces are kept; 0 keeps all. */
  maxBackups: number
}

export function openAuditLog(options: AuditLogOptions, deps: { clock: Pick<Clock, 'now'>; log: Logger }): AuditLog {
  return options.path === '-' ? new StandardOutput() : new AuditFile(options, deps)
}

class StandardOutput implements AuditLog {
  write(event: object): void {
    process.stdout.write(`${JSON.stringify(event)}\n`)
  }

  async close(): Promise<void> {}
}

class AuditFile implements AuditLog {
  readonly #options: AuditLogOptions
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Logger
  #stream: WriteStream
  #bytes: number

  constructor(options: AuditLogOptions, { clock, log }: { clock: Pick<Clock, 'now'>; log: Logger }) {
    this.#options = options
    this.#clock = clock
    this.#log = log
    mkdirSync(dirname(options.path), { recursive: true })
    this.#stream = this.#open()
    this.#bytes = sizeOf(options.path)
  }

  write(event: object): void {
    const line = `${JSON.stringify(event)}\n`
    const bytes = Buffer.byteLength(line)
    if (this.#bytes > 0 && this.#bytes + bytes > this.#options.maxBytes) this.#cut()
    this.#bytes += bytes
    this.#stream.write(line)
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.end(() => resolve()))
  }

  #open(): WriteStream {
    // The file is there at once: a cut must find it, and so must whoever follows it.
    const fd = openSync(this.#options.path, 'a', 0o600)
    const stream = createWriteStream('', { fd })
    stream.on('error', (error) => this.#log.error({ err: error, path: this.#options.path }, 'the audit log is broken'))
    return stream
  }

  /** What is still on its way into the old piece follows it: a stream writes to the file and not to its name. */
  #cut(): void {
    const { path, maxBackups } = this.#options
    const extension = extname(path)
    const stem = basename(path, extension)
    const time = new Date(this.#clock.now()).toISOString().replaceAll(':', '-').replace('Z', '')
    this.#stream.end()
    renameSync(path, join(dirname(path), `${stem}-${time}${extension}`))
    this.#stream = this.#open()
    this.#bytes = 0
    if (maxBackups === 0) return
    const older = readdirSync(dirname(path)).filter((name) => name.startsWith(`${stem}-`) && name.endsWith(extension))
    for (const name of older.sort().slice(0, -maxBackups)) rmSync(join(dirname(path), name))
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
