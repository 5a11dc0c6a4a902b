/**
 * The one error type of the Docker API, on both of its sides. In the engine anything thrown as a DockerError becomes
 * `{"message": …}` with its status; anything else that is thrown is a bug and becomes a 500. A client throws what the
 * engine answered; status 0: the engine could not be reached, or did not answer in time.
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

export function isDockerStatus(error: unknown, ...statuses: number[]): error is DockerError {
  return error instanceof DockerError && statuses.includes(error.status)
}

export function isUnreachable(error: unknown): boolean {
  return isDockerStatus(error, 0)
}
