/**
 * startProxy: puts the parts together: informers tell of Services and EndpointSlices, rules/ decides, a Proxier carries
 * the connections.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { EndpointSlices, Nodes, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import type { DebugServer } from '@dinghy/shared/process/debug-server'
import type { Health } from '@dinghy/shared/process/health'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Metrics } from '@dinghy/shared/process/metrics'
import { runController } from '@dinghy/shared/reconcile/controller'
import { HealthCheckPorts } from './health-check-ports.ts'
import { enforcePolicies } from './policy/policy-enforcer.ts'
import type { Proxier } from './rules/proxier.ts'
import { serviceInfoOf, serviceNameLabel, type ProxyNode, type ServiceInfo } from './rules/service-info.ts'
import { nodeOfAddress } from './userspace/origins.ts'
import { NftablesProxier } from './nftables/nftables-proxier.ts'
import type { Rule } from './userspace/rules.ts'
import { ServiceAddresses } from './userspace/service-addresses.ts'
import { UserspaceProxier, type UserspaceDeps } from './userspace/userspace-proxier.ts'

/**
 * loopback: in user space, on a network that all nodes share; userspace: in user space, in the node's own network
 * namespace; nftables: in the kernel of that namespace.
 */
export type ProxyMode = 'loopback' | 'userspace' | 'nftables'

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
  mode: ProxyMode
  /** Where pods are. */
  clusterCidr: string
}

/** NodePorts are served here too, by whichever node's proxy is first: what a person at the machine types. */
const hostAddress = '127.0.0.1'

const zoneLabel = 'topology.kubernetes.io/zone'

/** So many changes may share one step of the kernel's table; in user space it makes no difference. */
const workers = 16

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
  const proxier = proxierOf(deps, { nodeOf, onRefused })
  const healthChecks = new HealthCheckPorts({ address: node.address, log })

  deps.debug.addPage('/debug/rules', () => ({ node, rules: proxier.view() }))
  deps.metrics.observed(
    'dinghy_proxy_listeners',
    'Addresses of Services by what became of them.',
    () => Object.entries(proxier.countByState()).map(([state, value]) => ({ labels: { state }, value })),
    { labelNames: ['state'] },
  )
  deps.health.addCheck('synced', () => services.hasSynced() && slices.hasSynced())

  const infoOf = (service: Service): ServiceInfo | undefined => {
    const key = `${service.metadata.namespace}/${service.metadata.name}`
    return serviceInfoOf(service, slices.lister.byIndex('service', key), withZone())
  }
  const withZone = (): ProxyNode => {
    const zone = nodes.lister.get(node.name)?.metadata.labels?.[zoneLabel]
    return { ...node, ...(zone === undefined ? {} : { zone }) }
  }
  let started: Promise<void> | undefined
  const start = async (): Promise<void> => {
    try {
      await proxier.start(
        services.lister.list().flatMap((service) => infoOf(service) ?? []),
        signal,
      )
    } catch (error) {
      started = undefined // Whoever is reconciled next tries again.
      throw error
    }
  }

  informers.start(signal)
  const enforcing = deps.mode === 'nftables' ? enforcePolicies({ ...deps, informers }, signal) : undefined
  await runController(
    {
      name: proxyName(node.name),
      client,
      clock,
      log,
      workers,
      reconciles: services,
      watches: [[slices, serviceKeysOf]],
      reconcile: async (key) => {
        await (started ??= start())
        const service = services.lister.get(key)
        const info = service && infoOf(service)
        await Promise.all([proxier.apply(key, info), healthChecks.apply(key, info?.healthCheck)])
      },
    },
    signal,
  )
  recorder.stop()
  await enforcing
  await Promise.all([proxier.close(), healthChecks.close()])
}

function proxierOf(
  { mode, node, clusterCidr, clock, log }: ProxyDeps,
  userspace: Pick<UserspaceDeps, 'nodeOf' | 'onRefused'>,
): Proxier {
  if (mode === 'nftables') return new NftablesProxier({ node, clusterCidr, clock, log })
  const isShared = mode === 'loopback'
  const place = { node, nodePortAddresses: isShared ? [node.address, hostAddress] : [node.address], isShared }
  const addresses = isShared ? {} : { addresses: new ServiceAddresses() }
  return new UserspaceProxier({ clock, log, ...userspace, place, ...addresses })
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
