/**
 * What the supervisor asks of the runtime: stop every container when the cluster goes down, and kill those of one node
 * when that node is switched off. It speaks the Docker Engine API, as everybody does.
 *
 * Each request has a deadline; a runtime that hangs is a NoAnswer for the caller, which can have it started again.
 */

import { send } from './http.ts'

/** The labels that node-agents put on everything they create. */
const nodeLabel = 'io.dinghy.node'
const graceLabel = 'annotation.io.kubernetes.pod.terminationGracePeriod'
const podLabel = 'io.kubernetes.pod.name'

/** What the runtime needs to answer, beyond the time that containers are given. */
const defaultAnswerMs = 10_000

interface Container {
  Id: string
  Names: string[]
  Labels: Record<string, string>
}

export interface Stopping {
  /** What a pod may take to end, if its own grace period is not shorter. 0 kills. */
  graceMs: number
  /** How long the runtime may take beyond that; ten seconds if nothing is said. */
  answerWithinMs?: number | undefined
  /** Called with the names of those that are still running, whenever one has ended. */
  onWaiting?: (names: string[]) => void
}

/** Returns how many there were. */
export async function stopContainers(
  dockerSocket: string,
  { graceMs, onWaiting = () => undefined, answerWithinMs = defaultAnswerMs }: Stopping,
): Promise<number> {
  const containers = await running(dockerSocket, {}, answerWithinMs)
  const waiting = new Map(containers.map((container) => [container.Id, nameOf(container)]))
  const say = () => onWaiting([...new Set(waiting.values())].toSorted())
  say()
  await Promise.all(
    containers.map(async (container) => {
      const ownMs = Math.min(graceMs, graceOf(container) ?? graceMs)
      // A whole number of seconds is what the API takes; SIGKILL itself needs no grace.
      const path = ownMs === 0 ? 'kill' : `stop?t=${Math.ceil(ownMs / 1_000)}`
      await post(dockerSocket, `/containers/${container.Id}/${path}`, ownMs + answerWithinMs)
      waiting.delete(container.Id)
      say()
    }),
  )
  return containers.length
}

export async function killContainers(dockerSocket: string, node: string): Promise<void> {
  const containers = await running(dockerSocket, { label: [`${nodeLabel}=${node}`] }, defaultAnswerMs)
  await Promise.all(containers.map(({ Id }) => post(dockerSocket, `/containers/${Id}/kill`, defaultAnswerMs)))
}

async function running(socketPath: string, filters: Record<string, string[]>, timeoutMs: number): Promise<Container[]> {
  const query = encodeURIComponent(JSON.stringify({ ...filters, status: ['running', 'paused', 'restarting'] }))
  const url = `/containers/json?filters=${query}`
  const { status, text } = await send({ method: 'GET', url, socketPath, timeoutMs })
  // A runtime that is not there has nothing we could stop; its containers are found again by the next one.
  return status === 200 ? (JSON.parse(text) as Container[]) : []
}

async function post(socketPath: string, path: string, timeoutMs: number): Promise<void> {
  await send({ method: 'POST', url: path, socketPath, timeoutMs })
}

function graceOf({ Labels }: Container): number | undefined {
  const seconds = Number(Labels[graceLabel])
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined
}

function nameOf({ Id, Names, Labels }: Container): string {
  return Labels[podLabel] ?? Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12)
}
