// One attempt of a probe, whichever way it asks: by HTTP, TCP, gRPC or a command in the container.

import type { Container, Probe } from '@dinghy/shared/api/types'
import type { DockerClient } from '../docker/docker-client.ts'
import { runExec } from '../docker/run-exec.ts'
import { grpcCheck } from './grpc-check.ts'
import { httpCheck, urlOf, type CheckResult } from './http-check.ts'
import { tcpCheck } from './tcp-check.ts'

export interface CheckTarget {
  container: Container
  containerId: string
  podIP: string
}

/** What an event can show of a command's output. */
const outputLimit = 10 * 1024

/** Throws when the attempt itself went wrong, which says nothing about the container. */
export async function check(
  docker: DockerClient,
  probe: Probe,
  target: CheckTarget,
  signal: AbortSignal,
): Promise<CheckResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const { container, podIP } = target
  if (probe.httpGet) {
    const { httpGet } = probe
    return await httpCheck(urlOf(httpGet, podIP, portOf(httpGet.port, container)), httpGet.httpHeaders, limited)
  }
  if (probe.tcpSocket) {
    const { host, port } = probe.tcpSocket
    return await tcpCheck(host ?? podIP, portOf(port, container), limited)
  }
  if (probe.grpc) {
    const { port, service } = probe.grpc
    return await grpcCheck({ host: podIP, port }, service ?? '', timeoutMs, limited)
  }
  if (probe.exec)
    return await execCheck(docker, target.containerId, probe.exec.command ?? [], timeoutMs, signal, limited)
  throw new Error(`missing probe handler for ${container.name}`)
}

/** A number, or the name of one of the container's ports. */
export function portOf(port: number | string, container: Container): number {
  if (typeof port === 'number') return port
  const named = container.ports?.find(({ name }) => name === port)?.containerPort
  const number = named ?? Number(port)
  if (!Number.isInteger(number)) throw new Error(`couldn't find port: ${port}`)
  return number
}

async function execCheck(
  docker: DockerClient,
  containerId: string,
  command: string[],
  timeoutMs: number,
  signal: AbortSignal,
  limited: AbortSignal,
): Promise<CheckResult> {
  try {
    const { exitCode, output } = await runExec(docker, containerId, command, { outputLimit }, limited)
    return { outcome: exitCode === 0 ? 'success' : 'failure', output }
  } catch (error) {
    if (!limited.aborted || signal.aborted) throw error
    return {
      outcome: 'failure',
      output: `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`,
    }
  }
}
