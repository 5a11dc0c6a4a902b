/**
 * How the command line talks to a running supervisor: a few requests over a unix socket in the state directory.
 * The socket is also the lock: whoever can listen on it is the cluster's one supervisor. control-client.ts asks.
 *
 *   GET  /status              → ClusterStatus
 *   GET  /waiting             → { waitingFor }, at once: for people who wait for a stop
 *   POST /nodes/NAME/stop     → 200 when agent, proxy and containers of that node are gone
 *   POST /nodes/NAME/start    → 200 at once; the node becomes Ready by itself
 *   POST /nodes/NAME/cut, /nodes/NAME/heal
 *   POST /nodes/NAME/delay    ← { delay } such as "200ms"; none ends it
 *   POST /nodes/NAME/remove   → 200 when nothing is left of it here
 *   POST /nodes               → { name } of one more
 *   POST /stop                ← StopOptions → StopReport, when everything has stopped
 */

import { readBody } from '@dinghy/shared/http/body'
import { HttpServer } from '@dinghy/shared/http/server'
import { diskTrouble } from '../cluster/disk.ts'
import type { NetworkMode } from '../cluster/addresses.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { apiServerUrl } from './components.ts'
import type { ComponentStatus } from './component.ts'
import { complaintOf } from './complaint.ts'
import { pausedQueues } from './gates.ts'
import { type StopOptions, type StopReport, type Supervisor, UnknownNode } from './supervisor.ts'

export interface ClusterStatus {
  cluster: string
  ready: boolean
  pid: number
  /** Which addresses it has: see addresses.ts. */
  slot: number
  network: NetworkMode
  /** `reason`: why it is not ready, if it says so. */
  components: (ComponentStatus & { paused: string[]; reason?: string })[]
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

/** A request is a few words. */
const bodyLimit = 64 << 10

type NamedNode = { Params: { name: string } }

/** A socket file that nobody listens on is a killed supervisor's; the kit replaces it, and refuses a live one. */
export async function serveControl(deps: ControlDeps): Promise<HttpServer> {
  const { supervisor, state, stop } = deps
  const server = new HttpServer({
    errorHandler: (error) => ({
      statusCode: error instanceof UnknownNode ? 404 : ((error as { statusCode?: number }).statusCode ?? 500),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: (error as Error).message }),
    }),
  })
  const { app } = server
  app.get('/status', () => statusOf(deps))
  app.get('/waiting', async () => ({ waitingFor: supervisor.waitingFor() }))
  app.post('/stop', async ({ raw }) => stop(JSON.parse(String(await readBody(raw, bodyLimit))) as StopOptions))
  app.post<NamedNode>('/nodes/:name/stop', async ({ params }) => {
    await supervisor.stopNode(params.name)
    return {}
  })
  app.post<NamedNode>('/nodes/:name/start', async ({ params }) => {
    await supervisor.startNode(params.name)
    return {}
  })
  app.post<NamedNode>('/nodes/:name/cut', async ({ params }) => {
    await supervisor.cutNode(params.name, true)
    return {}
  })
  app.post<NamedNode>('/nodes/:name/heal', async ({ params }) => {
    await supervisor.cutNode(params.name, false)
    return {}
  })
  app.post<NamedNode>('/nodes/:name/delay', async ({ params, raw }) => {
    const { delay } = JSON.parse(String(await readBody(raw, bodyLimit))) as { delay?: string }
    await supervisor.delayNode(params.name, delay)
    return {}
  })
  app.post<NamedNode>('/nodes/:name/remove', async ({ params }) => {
    await supervisor.removeNode(params.name)
    return {}
  })
  app.post('/nodes', async () => ({ name: await supervisor.addNode() }))
  await server.listen({ socketPath: state.supervisorSocket, mode: 0o600 })
  return server
}

export async function statusOf({ supervisor, state }: ControlDeps): Promise<ClusterStatus> {
  const { cluster, slot, network = 'loopback' } = supervisor.config
  const [paused] = await Promise.all([pausedQueues(supervisor.statuses(), state), supervisor.refresh()])
  const statuses = supervisor.statuses()
  const reasons = await Promise.all(statuses.map((status) => complaintOf(status, state)))
  const trouble = diskTrouble(state.root)
  return {
    cluster,
    ready: supervisor.ready(),
    pid: process.pid,
    slot,
    network,
    components: statuses.map((status, index) => {
      const reason = reasons[index]
      return { ...status, paused: paused.get(status.name) ?? [], ...(reason === undefined ? {} : { reason }) }
    }),
    kubeconfig: state.kubeconfig,
    dockerHost: `unix://${state.dockerSocket}`,
    server: apiServerUrl(supervisor.config),
    ...(trouble === undefined ? {} : { trouble }),
  }
}
