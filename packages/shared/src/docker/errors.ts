/**
 * The one error type of the Docker API. Anything thrown as a DockerError becomes `{"message": …}` with its
 * status in docker/server.ts; anything else that is thrown is a bug and becomes a 500.
 *
 * Statuses as in the Engine API: 304 not modified, 400 bad parameter, 403 forbidden, 404 no such object,
 * 409 conflict, 500 server error, 501 not implemented, 503 not part of a swarm.
 */
export class DockerError extends Error {
  override readonly name = 'DockerError'
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

export function badParameter(message: string): DockerError {
  return new DockerError(400, message)
}
export function notFound(message: string): DockerError {
  return new DockerError(404, message)
}
export function conflict(message: string): DockerError {
  return new DockerError(409, message)
}
export function serverError(message: string, cause?: unknown): DockerError {
  return new DockerError(500, message, { cause })
}

/** The text of anything thrown, for messages that embed another error's. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
