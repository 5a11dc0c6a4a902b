/**
 * startProxy: puts the parts together: informers tell of Services and EndpointSlices, rules.ts decides, listeners.ts
 * serves.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { EndpointSlices, Nodes, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import type { DebugServer } from '@dinghy/shared/process/debug-server'
import type { Health } from '@dinghy/shared/process/health'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Metrics } from '@dinghy/shared/process/metrics'
import { runController } from '@dinghy/shared/reconcile/controller'
import { Listeners, type ListenerView } from './listeners.ts'
import { nodeOfAddress } from './origins.ts'
import { rulesOf, serviceNameLabel, type Rule } from './rules.ts'

/** What is established when the process is told to stop gets this long to finish. */
const drainMs = 1_000

export interface ProxyDeps {
  /** Its user agent is the actor of all writes. */
  client: ApiClient
  clock: Clock
  log: Logger
  health: Health
  metrics: Metrics
  debug: Pick<DebugServer, 'addPage'>
  /** The node that is served, and the address of its NodePorts. */
  node: { name: string; address: string }
}

/** Runs until the signal aborts and what is established has ended or was given up. */
export async function startProxy(deps: ProxyDeps, signal: AbortSignal): Promise<void> {
  const { client, clock, log, node } = deps
  const informers = new Informers(client, { clock, log })
  const services = informers.for(Services)
  const slices = informers.for(EndpointSlices)
  const nodes = informers.for(Nodes)
  slices.addIndex('service', serviceKeysOf)

  const recorder = new EventRecorder(client, { component: 'kube-proxy', host: node.name, clock, log })
  const onRefused = ({ service, portName, port }: Rule, reason: string): void => {
    const object = services.lister.get(service)
    const message = `Port ${portName || port} is not served: ${reason}`
    if (object) recorder.event(object, 'Warning', 'PortNotServed', message)
  }
  const nodeOf = (address: string): string => nodeOfAddress(address, nodes.lister.list()) ?? node.name
  const listeners = new Listeners({ clock, log, nodeOf, onRefused })

  deps.debug.addPage('/debug/rules', () => ({ node, rules: listeners.view() }))
  deps.metrics.observed(
    'dinghy_proxy_listeners',
    'Addresses of Services by what became of them.',
    () => countByState(listeners.view()),
    { labelNames: ['state'] },
  )
  deps.health.addCheck('synced', () => services.hasSynced() && slices.hasSynced())

  informers.start(signal)
  await runController(
    {
      name: proxyName(node.name),
      client,
      clock,
      log,
      reconciles: services,
      watches: [[slices, serviceKeysOf]],
      reconcile: async (key) => {
        const service = services.lister.get(key)
        const rules = service ? rulesOf(service, slices.lister.byIndex('service', key), node) : []
        await listeners.apply(key, rules)
      },
    },
    signal,
  )
  recorder.stop()
  await listeners.close(drainMs)
}

/** The actor of the writes of a node's proxy, and the name of its queue. */
export function proxyName(node: string): string {
  return `kube-proxy/${node}`
}

/** The Service that a slice belongs to, as a key. */
function serviceKeysOf({ metadata }: EndpointSlice): string[] {
  const name = metadata.labels?.[serviceNameLabel]
  return name === undefined ? [] : [`${metadata.namespace}/${name}`]
}

function countByState(listeners: ListenerView[]): { labels: { state: string }; value: number }[] {
  const states = ['serving', 'waiting', 'refused'] as const
  return states.map((state) => ({ labels: { state }, value: listeners.filter((one) => one.state === state).length }))
}
