/** Why a container's program could not be started, as Docker says it. */
import { DockerError } from '@dinghy/shared/docker/errors'

/**
 * The frame that runc's errors have in Docker; what counts for clients is the end of it: the CLI reads its exit code
 * out of it. `advice` is what Docker adds of its own.
 */
export function startError(reason: string, advice?: string): DockerError {
  const frame = 'failed to create task for container: failed to create shim task: OCI runtime create failed'
  const words = `${frame}: unable to start container process: ${reason}: unknown`
  return new DockerError(400, advice === undefined ? words : `${words}: ${advice}`)
}
