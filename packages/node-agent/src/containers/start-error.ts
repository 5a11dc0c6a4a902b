/**
 * Why a container could not be started (yet): what the pod shows as the container's waiting reason. The reasons are
 * upstream's: ErrImagePull, ImagePullBackOff, CreateContainerConfigError, CreateContainerError, RunContainerError, …
 */

export class StartError extends Error {
  readonly reason: string
  /** When it is worth trying again; undefined: as with any failure, after a while. */
  readonly retryAt: number | undefined

  constructor(reason: string, message: string, options: ErrorOptions & { retryAt?: number } = {}) {
    super(message, options)
    this.reason = reason
    this.retryAt = options.retryAt
  }
}
