/**
 * DockerError: what the engine answered when it did not do what we asked, or that it could not be asked at all.
 */

/** status 0: the engine could not be reached. */
export class DockerError extends Error {
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DockerError'
    this.status = status
  }
}

export function isDockerStatus(error: unknown, ...statuses: number[]): error is DockerError {
  return error instanceof DockerError && statuses.includes(error.status)
}

export function isUnreachable(error: unknown): boolean {
  return isDockerStatus(error, 0)
}
