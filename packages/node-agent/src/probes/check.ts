/**
 * One attempt of a probe, whichever way it asks: by HTTP, TCP, gRPC or a command in the container.
 */

import type { Clock } from '@dinghy/shared/api/clock'
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
  clock: Clock,
  probe: Probe,
  target: CheckTarget,
  signal: AbortSignal,
): Promise<CheckResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  const late = new AbortController()
  const timer = clock.setTimeout(() => late.abort(), timeoutMs)
  try {
    return await attempt(docker, probe, target, timeoutMs, AbortSignal.any([signal, late.signal]))
  } finally {
    clock.clear(timer)
  }
}

async function attempt(
  docker: DockerClient,
  probe: Probe,
  { container, containerId, podIP }: CheckTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CheckResult> {
  if (probe.httpGet) {
    const { httpGet } = probe
    return await httpCheck(urlOf(httpGet, podIP, portOf(httpGet.port, container)), httpGet.httpHeaders, signal)
  }
  if (probe.tcpSocket) {
    const { host, port } = probe.tcpSocket
    return await tcpCheck(host ?? podIP, portOf(port, container), signal)
  }
  if (probe.grpc) {
    const { port, service } = probe.grpc
    return await grpcCheck({ host: podIP, port }, service ?? '', timeoutMs, signal)
  }
  if (probe.exec) return await execCheck(docker, containerId, probe.exec.command ?? [], timeoutMs, signal)
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
): Promise<CheckResult> {
  try {
    const { exitCode, output } = await runExec(docker, containerId, command, { outputLimit }, signal)
    return { outcome: exitCode === 0 ? 'success' : 'failure', output }
  } catch (error) {
    if (!signal.aborted) throw error
    // Or the probe was stopped, and then nobody hears this.
    const output = `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`
    return { outcome: 'failure', output }
  }
}
