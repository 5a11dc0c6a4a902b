/**
 * The gateway: the person's way into the cluster, at the machine that the nodes run on. Upstream has no such thing;
 * there a person's machine and the cloud's load balancer are on the same network as the nodes.
 *
 *   curl localhost:30080        ──► a Ready node's address, port 30080 ──► that node's proxy
 *   curl localhost:8080         ──► any Ready node ──► the ingress, for an ordinary user, who has no route there
 *   curl 172.30.0.201           ──► the machine's route over the Ready nodes ──► that node's proxy
 *
 * It decides nothing about endpoints: it leads to nodes, and their proxies do the rest.
 */

import { EndpointSlices, Nodes, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import { runController } from '@dinghy/shared/reconcile/controller'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { DebugServer } from '@dinghy/shared/process/debug-server'
import type { Health } from '@dinghy/shared/process/health'
import type { Logger } from '@dinghy/shared/process/logger'
import { serviceInfoOf, serviceNameLabel } from '../rules/service-info.ts'
import type { Dial } from '../userspace/forwarder.ts'
import { Listeners } from '../userspace/listeners.ts'
import type { Rule } from '../userspace/rules.ts'
import { forwardRules, gatewayPlan, readyNodes, type Forward, type GatewayOptions } from './gateway-rules.ts'
import type { Routes } from './routes.ts'

export const gatewayName = 'gateway'

/** What is established when the process is told to stop gets this long to finish. */
const drainMs = 1_000

export interface GatewayDeps extends GatewayOptions {
  client: ApiClient
  clock: Clock
  log: Logger
  health: Health
  debug: Pick<DebugServer, 'addPage'>
  /** Absent where the machine's routes are not ours to change. */
  routes?: Pick<Routes, 'set'> | undefined
  /** How to reach a node, if not by its address. */
  dial?: Dial | undefined
  /** What else leads inside, by way of any node. */
  forwards?: readonly Forward[]
}

/** The key of the forwards in the queue; no Service can have it. */
const forwardsKey = 'forwards'

export async function startGateway(deps: GatewayDeps, signal: AbortSignal): Promise<void> {
  const { client, clock, log } = deps
  const informers = new Informers(client, { clock, log })
  const services = informers.for(Services)
  const slices = informers.for(EndpointSlices)
  const nodes = informers.for(Nodes)
  const serviceKeys = ({ metadata }: EndpointSlice): string[] => {
    const name = metadata.labels?.[serviceNameLabel]
    return name === undefined ? [] : [`${metadata.namespace}/${name}`]
  }
  slices.addIndex('service', serviceKeys)

  const recorder = new EventRecorder(client, { component: gatewayName, clock, log })
  const onRefused = ({ service, address, port }: Rule, reason: string): void => {
    const object = services.lister.get(service)
    if (object) recorder.event(object, 'Warning', 'PortNotServed', `${address}:${port} is not served: ${reason}`)
  }
  const dial = deps.dial ? { dial: deps.dial } : {}
  const listeners = new Listeners({ clock, log, nodeOf: () => undefined, onRefused, ...dial })
  /** Service → its routes. */
  const routes = new Map<string, Map<string, string[]>>()

  deps.debug.addPage('/debug/rules', () => ({
    rules: listeners.view(),
    routes: Object.fromEntries([...routes.values()].flatMap((own) => [...own])),
  }))
  deps.health.addCheck('synced', () => services.hasSynced() && slices.hasSynced() && nodes.hasSynced())

  const exposed = (): string[] => services.lister.list().filter(isExposed).map(keyOf)
  let isFirst = true
  const planOf = (key: string) => {
    const service = services.lister.get(key)
    const node = { name: '', address: '' }
    const info = service && isExposed(service) && serviceInfoOf(service, slices.lister.byIndex('service', key), node)
    return info ? gatewayPlan(info, readyNodes(nodes.lister.list()), deps) : { rules: [], routes: new Map() }
  }

  informers.start(signal)
  await runController(
    {
      name: gatewayName,
      client,
      clock,
      log,
      reconciles: services,
      watches: [
        [slices, serviceKeys],
        [nodes, () => [...exposed(), forwardsKey]],
      ],
      reconcile: async (key) => {
        if (key === forwardsKey) {
          const { forwards = [] } = deps
          return await listeners.apply(key, forwardRules(forwards, readyNodes(nodes.lister.list()), key))
        }
        // Routes of an earlier process go only when it is known which of them are wanted.
        if (isFirst) for (const other of exposed()) routes.set(other, planOf(other).routes)
        isFirst = false
        const plan = planOf(key)
        if (plan.routes.size > 0) routes.set(key, plan.routes)
        else routes.delete(key)
        const all = new Map([...routes.values()].flatMap((own) => [...own]))
        await Promise.all([listeners.apply(key, plan.rules), deps.routes?.set(all)])
      },
    },
    signal,
  )
  recorder.stop()
  await listeners.close(drainMs)
}

function isExposed({ spec }: Service): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer'
}

function keyOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name}`
}
