/**
 * postStart and preStop: something to be done right after a container has started, or right before it is stopped.
 * Follows upstream's pkg/kubelet/lifecycle.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Container, LifecycleHandler, Pod } from '@dinghy/shared/api/types'
import type { DockerClient } from '../docker/docker-client.ts'
import { runExec } from '../docker/run-exec.ts'
import { portOf } from '../probes/check.ts'
import { httpCheck, urlOf } from '../probes/http-check.ts'
import { podText } from '../observed/labels.ts'

export interface HookTarget {
  pod: Pod
  container: Container
  containerId: string
  podIP: string
}

const outputLimit = 10 * 1024

/** Throws when the hook failed; its message is for the container's status. */
export async function runHook(
  docker: DockerClient,
  clock: Clock,
  handler: LifecycleHandler,
  { pod, container, containerId, podIP }: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  if (handler.sleep) return await clock.sleep(handler.sleep.seconds * 1000, signal)
  const where = `for Container "${container.name}" in Pod "${podText(pod)}" failed`
  if (handler.exec) {
    const { command = [] } = handler.exec
    const { exitCode, output } = await runExec(docker, containerId, command, { outputLimit }, signal)
    if (exitCode === 0) return
    const words = command.join(' ')
    const error = `command '${words}' exited with ${exitCode}: ${output}, message: ${JSON.stringify(output)}`
    throw new Error(`Exec lifecycle hook ([${words}]) ${where} - error: ${error}`)
  }
  if (handler.httpGet) {
    const url = urlOf(handler.httpGet, podIP, portOf(handler.httpGet.port, container))
    const { outcome, output } = await httpCheck(url, handler.httpGet.httpHeaders, signal)
    // An answer is an answer, whatever its status code; only not being heard is a failure.
    if (outcome === 'failure' && !output.startsWith('HTTP probe failed')) {
      throw new Error(`HTTP lifecycle hook (${handler.httpGet.path ?? '/'}) ${where} - error: ${output}`)
    }
    return
  }
  throw new Error(`invalid handler: ${Object.keys(handler).join(', ')}`)
}
