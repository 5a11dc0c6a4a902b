/**
 * kube-proxy of one node: makes Services reachable. Reads Services and EndpointSlices, decides (rules.ts), serves
 * (listeners.ts). It holds no state of its own: killed and started again it serves the same rules, and in between
 * another node's proxy takes its ClusterIPs over.
 */

import { EndpointSlices, Nodes, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import { runMain } from '@dinghy/shared/process/main'
import { runController } from '@dinghy/shared/reconcile/controller'
import { Listeners, type ListenerView } from './listeners.ts'
import { nodeOfAddress } from './origins.ts'
import { rulesOf, serviceNameLabel, type Rule } from './rules.ts'

/** What is established when the process is told to stop gets this long to finish. */
const drainMs = 1_000

runMain({
  name: 'proxy',
  flags: {
    server: { type: 'string', default: 'http://127.0.0.1:6443', help: 'the API server' },
    'node-name': { type: 'string', required: true, help: 'the node that this proxy serves' },
    'node-address': { type: 'string', required: true, help: 'the address where its NodePorts are served' },
  },
  run: async ({ flags, log, clock, signal, health, metrics, debug }) => {
    const node = { name: flags.nodeName, address: flags.nodeAddress }
    const name = `kube-proxy/${node.name}`
    const client = new ApiClient({ server: flags.server, userAgent: name })
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

    debug.addPage('/debug/rules', () => ({ node, rules: listeners.view() }))
    metrics.observed(
      'dinghy_proxy_listeners',
      'Addresses of Services by what became of them.',
      () => countByState(listeners.view()),
      { labelNames: ['state'] },
    )
    health.addCheck('synced', () => services.hasSynced() && slices.hasSynced())

    informers.start(signal)
    await runController(
      {
        name,
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
  },
})

/** The Service that a slice belongs to, as a key. */
function serviceKeysOf({ metadata }: EndpointSlice): string[] {
  const name = metadata.labels?.[serviceNameLabel]
  return name === undefined ? [] : [`${metadata.namespace}/${name}`]
}

function countByState(listeners: ListenerView[]): { labels: { state: string }; value: number }[] {
  const states = ['serving', 'waiting', 'refused'] as const
  return states.map((state) => ({ labels: { state }, value: listeners.filter((one) => one.state === state).length }))
}
