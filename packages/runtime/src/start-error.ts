/** Why a container's program could not be started, as Docker says it. */
import { DockerError } from '@dinghy/shared/docker/errors'

/**
 * The frame that runc's errors have in Docker; what counts for clients is the end of it: the CLI reads its exit code
 * out of it.
 */
export function startError(reason: string): DockerError {
  return new DockerError(
    400,
    `failed to create task for container: failed to create shim task: OCI runtime create failed: unable to start container process: ${reason}: unknown`,
  )
}
