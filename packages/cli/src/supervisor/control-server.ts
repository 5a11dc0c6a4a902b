/**
 * How the command line talks to a running supervisor: a few requests over a unix socket in the state directory.
 * The socket is also the lock: whoever can listen on it is the cluster's one supervisor. control-client.ts asks.
 *
 *   GET  /status              → ClusterStatus
 *   GET  /waiting             → { waitingFor }, at once: for people who wait for a stop
 *   POST /nodes/NAME/stop     → 200 when agent, proxy and containers of that node are gone
 *   POST /nodes/NAME/start    → 200 at once; the node becomes Ready by itself
 *   POST /stop                ← StopOptions → StopReport, when everything has stopped
 */

import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { diskTrouble } from '../cluster/disk.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { apiServerUrl } from './components.ts'
import type { ComponentStatus } from './component.ts'
import { pausedQueues } from './gates.ts'
import { type StopOptions, type StopReport, type Supervisor, UnknownNode } from './supervisor.ts'

export interface ClusterStatus {
  cluster: string
  ready: boolean
  pid: number
  /** Which part of 127.0.0.0/8 it has: see slot.ts. */
  slot: number
  components: (ComponentStatus & { paused: string[] })[]
  kubeconfig: string
  dockerHost: string
  server: string
  /** What is wrong with the machine, in a sentence. */
  trouble?: string
}

export interface ControlDeps {
  supervisor: Supervisor
  state: StateDir
  stop: (options: StopOptions) => Promise<StopReport>
}

export async function serveControl(deps: ControlDeps): Promise<Server> {
  const { supervisorSocket } = deps.state
  // A socket file that nobody listens on is a killed supervisor's; a live one was ruled out by askStatus().
  rmSync(supervisorSocket, { force: true })
  const server = createServer((request, response) => {
    answer(deps, request).then(
      (body) => reply(response, 200, body),
      (error: Error) => reply(response, error instanceof UnknownNode ? 404 : 500, { message: error.message }),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(supervisorSocket, resolve)
  })
  chmodSync(supervisorSocket, 0o600)
  return server
}

async function answer(deps: ControlDeps, request: IncomingMessage): Promise<unknown> {
  const { supervisor, stop } = deps
  const { method = '', url = '' } = request
  const [, noun, name, verb] = url.split('/').map(decodeURIComponent)
  if (method === 'GET' && noun === 'status') return statusOf(deps)
  if (method === 'GET' && noun === 'waiting') return { waitingFor: supervisor.waitingFor() }
  if (method === 'POST' && noun === 'stop') return stop(JSON.parse(await text(request)) as StopOptions)
  if (method === 'POST' && noun === 'nodes' && name && verb === 'stop') return supervisor.stopNode(name)
  if (method === 'POST' && noun === 'nodes' && name && verb === 'start') return supervisor.startNode(name)
  throw new Error(`no such request: ${method} ${url}`)
}

export async function statusOf({ supervisor, state }: ControlDeps): Promise<ClusterStatus> {
  const { cluster, slot } = supervisor.config
  const [paused] = await Promise.all([pausedQueues(supervisor.statuses(), state), supervisor.refresh()])
  const trouble = diskTrouble(state.root)
  return {
    cluster,
    ready: supervisor.ready(),
    pid: process.pid,
    slot,
    components: supervisor.statuses().map((status) => ({ ...status, paused: paused.get(status.name) ?? [] })),
    kubeconfig: state.kubeconfig,
    dockerHost: `unix://${state.dockerSocket}`,
    server: apiServerUrl(supervisor.config),
    ...(trouble === undefined ? {} : { trouble }),
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
}
