/**
 * Answers that report progress: JSON objects, one a line, for as long as the work takes.
 *
 * Until the first line is sent nothing is decided, and an error becomes an ordinary error answer. After it the status
 * is 200 whatever happens, and an error is a line of its own: `{"errorDetail":{"message"},"error"}`. So it is in
 * Docker, and its clients look for both.
 */
import type { FastifyReply } from 'fastify'
import type { ServerResponse } from 'node:http'
import { messageOf } from '@dinghy/shared/api/message-of'
import { openStream } from './request.ts'

export class JsonStream {
  readonly #reply: FastifyReply
  /** There is none before the first line. */
  #response: ServerResponse | undefined

  constructor(reply: FastifyReply) {
    this.#reply = reply
  }

  /** From here on the status is 200. */
  begin(): void {
    this.#begun()
  }

  send(line: object): void {
    const response = this.#begun()
    // A client that has gone is noticed through the request's signal, not here.
    if (!response.writableEnded && !response.destroyed) response.write(`${JSON.stringify(line)}\r\n`)
  }

  /** Does the work and ends the answer; what it throws before the first line goes to the caller. */
  async run(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#response) throw error
      this.send(errorLine(error))
    }
    this.#begun().end()
  }

  #begun(): ServerResponse {
    this.#response ??= openStream(this.#reply, 'application/json')
    return this.#response
  }
}

/** `code` is the exit code of a RUN that failed: the client exits with it. */
function errorLine(error: unknown): object {
  const message = messageOf(error)
  const code = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
  return { errorDetail: { ...(code !== undefined ? { code } : {}), message }, error: message }
}
