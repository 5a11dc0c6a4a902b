/**
 * What the server kit itself refuses: no such route, a body that is too large, a URL that cannot be read. Every
 * server's own error handler says it in the words of its API.
 */

export class HttpError extends Error {
  readonly statusCode: number
  /** Further headers of the answer, such as `connection: close` when the rest of a body is not going to be read. */
  readonly headers: Record<string, string>

  constructor(statusCode: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.statusCode = statusCode
    this.headers = headers
  }
}

export interface ErrorAnswer {
  statusCode: number
  headers?: Record<string, string>
  body?: string | Buffer
}

/** The error handler of a server that has no form of its own for errors. */
export function plainTextError(error: unknown): ErrorAnswer {
  const { statusCode = 500, headers = {} } = error as Partial<HttpError>
  return {
    statusCode,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
    body: error instanceof Error ? error.message : String(error),
  }
}
