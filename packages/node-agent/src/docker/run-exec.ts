/**
 * Runs a command in a container to its end and collects what it says: for probes and lifecycle hooks.
 */

import type { DockerClient } from './docker-client.ts'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'

export interface ExecResult {
  exitCode: number
  /** stdout and stderr in the order of arrival, cut at `outputLimit` bytes. */
  output: string
}

/** Aborting the signal stops the waiting, not the command: the engine has no call that kills an exec. */
export async function runExec(
  docker: DockerClient,
  containerId: string,
  command: string[],
  { outputLimit }: { outputLimit: number },
  signal: AbortSignal,
): Promise<ExecResult> {
  const streams = { stdin: false, stdout: true, stderr: true, tty: false }
  const execId = await docker.createExec(containerId, command, streams, signal)
  const stream = await docker.startExec(execId, false, signal)
  const parser = new StdcopyParser()
  const pieces: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    for (const { data } of parser.push(chunk)) {
      if (size < outputLimit) pieces.push(data.subarray(0, outputLimit - size))
      size += data.length
    }
  }
  signal.throwIfAborted()
  const { ExitCode } = await docker.inspectExec(execId, signal)
  return { exitCode: ExitCode ?? -1, output: Buffer.concat(pieces).toString('utf8') }
}
