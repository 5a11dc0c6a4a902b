/**
 * What the supervisor asks of the runtime: stop every container when the cluster goes down, and kill those of one node
 * when that node is switched off. It speaks the Docker Engine API, as everybody does.
 */

import { send } from './http.ts'

/** The label that node-agents put on everything they create. */
export const nodeLabel = 'io.dinghy.node'

/** Returns how many there were. */
export async function stopContainers(dockerSocket: string): Promise<number> {
  return forEachRunning(dockerSocket, {}, (id) => `/containers/${id}/stop?t=2`)
}

export async function killContainers(dockerSocket: string, node: string): Promise<void> {
  await forEachRunning(dockerSocket, { label: [`${nodeLabel}=${node}`] }, (id) => `/containers/${id}/kill`)
}

async function forEachRunning(
  socketPath: string,
  filters: Record<string, string[]>,
  path: (id: string) => string,
): Promise<number> {
  const query = encodeURIComponent(JSON.stringify({ ...filters, status: ['running', 'paused', 'restarting'] }))
  const list = await send({ method: 'GET', url: `http://docker/containers/json?filters=${query}`, socketPath })
  // A runtime that is not there has nothing we could stop; its containers are found again by the next one.
  if (list.status !== 200) return 0
  const containers = JSON.parse(list.text) as { Id: string }[]
  await Promise.all(containers.map(({ Id }) => send({ method: 'POST', url: `http://docker${path(Id)}`, socketPath })))
  return containers.length
}
