/**
 * How docker's own client words what an engine answered: its users know, and scripts look for, that beginning.
 */

import { DockerError } from '@dinghy/shared/docker/errors'

export function daemonSays({ status, message }: DockerError): string {
  return status === 0 ? `${message}; \`dinghy up\` starts a cluster` : `Error response from daemon: ${message}`
}

export async function asDaemonSays<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof DockerError ? new Error(daemonSays(error), { cause: error }) : error
  }
}
