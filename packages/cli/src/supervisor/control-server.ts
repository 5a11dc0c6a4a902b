/**
 * How the command line talks to a running supervisor: a few requests over a unix socket in the state directory.
 * The socket is also the lock: whoever can listen on it is the cluster's one supervisor.
 *
 *   GET  /status              → ClusterStatus
 *   POST /nodes/NAME/stop     → 200 when agent, proxy and containers of that node are gone
 *   POST /nodes/NAME/start    → 200 at once; the node becomes Ready by itself
 *   POST /stop                → 200 when everything has stopped
 */

import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { apiServerUrl } from './components.ts'
import { send } from './http.ts'
import { type Supervisor, UnknownNode } from './supervisor.ts'
import type { ComponentStatus } from './component.ts'
import type { StateDir } from '../cluster/state-dir.ts'

export interface ClusterStatus {
  cluster: string
  ready: boolean
  components: Pick<ComponentStatus, 'name' | 'pid' | 'ready' | 'restarts' | 'stopped'>[]
  kubeconfig: string
  dockerHost: string
  server: string
}

export async function serveControl(
  supervisor: Supervisor,
  state: StateDir,
  stop: () => Promise<void>,
): Promise<Server> {
  // A socket file that nobody listens on is a killed supervisor's; a live one was ruled out by isRunning().
  rmSync(state.supervisorSocket, { force: true })
  const server = createServer((request, response) => {
    answer(supervisor, state, stop, request.method ?? '', request.url ?? '').then(
      (body) => reply(response, 200, body),
      (error: Error) => reply(response, error instanceof UnknownNode ? 404 : 500, { message: error.message }),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(state.supervisorSocket, resolve)
  })
  chmodSync(state.supervisorSocket, 0o600)
  return server
}

async function answer(supervisor: Supervisor, state: StateDir, stop: () => Promise<void>, method: string, url: string) {
  const [, noun, name, verb] = url.split('/').map(decodeURIComponent)
  if (method === 'GET' && noun === 'status') {
    await supervisor.refresh()
    return statusOf(supervisor, state)
  }
  if (method === 'POST' && noun === 'stop') return stop()
  if (method === 'POST' && noun === 'nodes' && name && verb === 'stop') return supervisor.stopNode(name)
  if (method === 'POST' && noun === 'nodes' && name && verb === 'start') return supervisor.startNode(name)
  throw new Error(`no such request: ${method} ${url}`)
}

export function statusOf(supervisor: Supervisor, state: StateDir): ClusterStatus {
  return {
    cluster: supervisor.config.cluster,
    ready: supervisor.ready(),
    components: supervisor.statuses(),
    kubeconfig: state.kubeconfig,
    dockerHost: `unix://${state.dockerSocket}`,
    server: apiServerUrl(supervisor.config),
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
}

/** The status of the cluster in this state directory, or undefined when no supervisor runs there. */
export async function askStatus(state: StateDir): Promise<ClusterStatus | undefined> {
  const { status, text } = await send({
    method: 'GET',
    url: 'http://supervisor/status',
    socketPath: state.supervisorSocket,
  })
  return status === 200 ? (JSON.parse(text) as ClusterStatus) : undefined
}

/** Sends one command; throws with the supervisor's own message when it is refused. */
export async function command(state: StateDir, path: string): Promise<void> {
  const { status, text } = await send({
    method: 'POST',
    url: `http://supervisor${path}`,
    socketPath: state.supervisorSocket,
  })
  if (status === 0) throw new NotRunning(state)
  if (status !== 200) throw new Error((JSON.parse(text) as { message: string }).message)
}

export class NotRunning extends Error {
  constructor(state: StateDir) {
    super(`no cluster is running in ${state.root}; start one with \`dinghy up\``)
  }
}
