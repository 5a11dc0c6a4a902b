/**
 * `dinghy explain-connection FROM TO:PORT`: whether NetworkPolicies let a connection through, and which rule says so.
 *
 * It decides by the same function that the proxies make the kernel's rules of, from what the API server has at this
 * moment; it sends no packet. A Service is followed to its endpoints, as a node's proxy would.
 */

import type { Command } from 'commander'
import { Option } from 'commander'
import { bold, cyan, dim, green, red } from '@dinghy/clients/command-line/colors'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { isIPv4 } from '@dinghy/shared/api/ipv4'
import {
  dnsPods,
  isSubject,
  verdictOf,
  type Connection,
  type End,
  type PolicyWorld,
  type SideVerdict,
} from '@dinghy/shared/api/network-policy'
import { EndpointSlices, Namespaces, NetworkPolicies, Pods, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, NetworkPolicy, Pod, Service } from '@dinghy/shared/api/types'
import { clusterCommand, type ClusterOptions } from './cluster-command.ts'
import { clientOf } from './object-history.ts'

interface Options extends ClusterOptions {
  namespace: string
  output: 'text' | 'json'
}

export interface ConnectionVerdict {
  from: string
  to: string
  protocol: string
  port: number
  allowed: boolean
  egress: SideVerdict
  ingress: SideVerdict
}

export interface ConnectionWorld {
  pods: Pod[]
  services: Service[]
  slices: EndpointSlice[]
  policies: NetworkPolicy[]
  namespaceLabels: PolicyWorld['namespaceLabels']
}

export function explainConnection(): Command {
  const examples = [
    'dinghy explain-connection web-7f9c-x2x4q api:80',
    'dinghy explain-connection pod/web-7f9c-x2x4q svc/db.data:5432',
    'dinghy explain-connection 172.30.0.1 web-7f9c-x2x4q:8080',
    'dinghy explain-connection web-7f9c-x2x4q svc/kube-dns.kube-system:53/udp',
  ]
  return clusterCommand('explain-connection', examples)
    .argument('<from>', 'a pod (NAME or NAME.NAMESPACE), or an address')
    .argument('<to:port>', 'a pod, a Service or an address, and a port; /udp or /sctp behind it for another protocol')
    .description('Whether NetworkPolicies let a connection through, and which rule of which policy says so.')
    .option('-n, --namespace <name>', 'of pods and Services that are named without one', 'default')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .action(exitWith(run))
}

async function run(options: Options, from: string, to: string): Promise<number> {
  const client = await clientOf(options)
  const [pods, services, slices, policies, namespaces] = await Promise.all([
    client.list(Pods),
    client.list(Services),
    client.list(EndpointSlices),
    client.list(NetworkPolicies),
    client.list(Namespaces),
  ])
  const labels = new Map(namespaces.items.map(({ metadata }) => [metadata.name, metadata.labels]))
  const world = {
    pods: [...pods.items, ...dnsPods(slices.items)],
    services: services.items,
    slices: slices.items,
    policies: policies.items,
    namespaceLabels: (name: string) => labels.get(name),
  }
  const verdicts = explain(world, { from, to, namespace: options.namespace })
  console.log(options.output === 'json' ? JSON.stringify(verdicts, null, 2) : renderVerdicts(verdicts, policies.items))
  return verdicts.every(({ allowed }) => allowed) ? 0 : 1
}

/** One verdict for a pod or an address, one for each endpoint of a Service. Pure. */
export function explain(
  world: ConnectionWorld,
  { from, to, namespace }: { from: string; to: string; namespace: string },
): ConnectionVerdict[] {
  const { target, port, protocol } = parseTarget(to)
  const sender = podOrAddress(world, from, namespace)
  if (!sender) throw new UsageError(`there is no pod "${from}" in the namespace ${namespaceOf(from, namespace)}`)
  return receivers(world, target, port, protocol, namespace).map(({ end, port: number }) => {
    const connection: Connection = { from: sender, to: end, protocol, port: number }
    const egress = verdictOf(connection, 'Egress', world)
    const ingress = isOwnNode(sender, end) ? nodeIsAllowed : verdictOf(connection, 'Ingress', world)
    const allowed = egress.allowed && ingress.allowed
    return { from: nameOf(sender), to: nameOf(end), protocol, port: number, allowed, egress, ingress }
  })
}

const nodeIsAllowed: SideVerdict = { allowed: true, policies: [] }

/** A pod's own node always gets through: its kubelet has to. */
function isOwnNode(sender: End, { pod }: End): boolean {
  return pod?.status.hostIP !== undefined && sender.address === pod.status.hostIP
}

function parseTarget(to: string): { target: string; port: string; protocol: string } {
  const [, target, port, protocol = 'tcp'] = /^(.+):([\w-]+)(?:\/(tcp|udp|sctp))?$/i.exec(to) ?? []
  if (!target || !port) throw new UsageError(`"${to}" is no TO:PORT, such as api:80 or svc/kube-dns.kube-system:53/udp`)
  return { target, port, protocol: protocol.toUpperCase() }
}

interface Receiver {
  end: End
  port: number
}

function receivers(
  world: ConnectionWorld,
  target: string,
  port: string,
  protocol: string,
  namespace: string,
): Receiver[] {
  const end = target.startsWith('svc/') ? undefined : podOrAddress(world, target, namespace)
  if (end) {
    if (!/^\d+$/.test(port)) throw new UsageError(`the port of a pod or an address is a number, not "${port}"`)
    return [{ end, port: Number(port) }]
  }
  const [name, place] = split(target.replace(/^svc\//, ''), namespace)
  const isIt = ({ metadata }: Service): boolean => metadata.name === name && metadata.namespace === place
  const service = world.services.find(isIt)
  if (!service) throw new UsageError(`there is neither a pod nor a Service "${name}" in the namespace ${place}`)
  const servicePort = service.spec.ports?.find(
    (one) => (String(one.port) === port || one.name === port) && (one.protocol ?? 'TCP') === protocol,
  )
  if (!servicePort) throw new UsageError(`the Service ${place}/${name} has no port ${port}/${protocol}`)
  const found = endpointsOf(world, service, servicePort.name ?? '', protocol)
  if (found.length === 0) throw new UsageError(`the Service ${place}/${name} has no endpoint that is ready`)
  return found
}

function endpointsOf(world: ConnectionWorld, { metadata }: Service, portName: string, protocol: string): Receiver[] {
  const own = world.slices.filter(
    (slice) =>
      slice.metadata.namespace === metadata.namespace &&
      slice.metadata.labels?.['kubernetes.io/service-name'] === metadata.name,
  )
  return own.flatMap(({ endpoints, ports = [] }) => {
    const port = ports.find((one) => (one.name ?? '') === portName && (one.protocol ?? 'TCP') === protocol)?.port
    if (port === undefined) return []
    const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false)
    return ready.flatMap(({ addresses }) => addresses.map((address) => ({ end: endAt(world, address), port })))
  })
}

function podOrAddress(world: ConnectionWorld, text: string, namespace: string): End | undefined {
  if (isIPv4(text)) return endAt(world, text)
  const [name, place] = split(text.replace(/^pod\//, ''), namespace)
  const pod = world.pods.find(({ metadata }) => metadata.name === name && metadata.namespace === place)
  if (pod && !pod.status.podIP) throw new UsageError(`the pod ${place}/${name} has no address yet`)
  return pod && { address: pod.status.podIP ?? '', pod }
}

function endAt({ pods }: ConnectionWorld, address: string): End {
  const pod = pods.find((one) => one.status.podIP === address && isSubject(one))
  return { address, ...(pod ? { pod } : {}) }
}

/** "db.data" is db in the namespace data; a pod's name may have dots itself, so that the last one counts. */
function split(text: string, namespace: string): [name: string, namespace: string] {
  const dot = text.lastIndexOf('.')
  return dot < 0 ? [text, namespace] : [text.slice(0, dot), text.slice(dot + 1)]
}

function namespaceOf(text: string, namespace: string): string {
  return split(text.replace(/^pod\//, ''), namespace)[1]
}

function nameOf({ address, pod }: End): string {
  return pod ? `${pod.metadata.namespace}/${pod.metadata.name} (${address})` : address
}

/** Pure. */
export function renderVerdicts(verdicts: ConnectionVerdict[], policies: NetworkPolicy[]): string {
  return verdicts.map((verdict) => renderVerdict(verdict, policies)).join('\n\n')
}

function renderVerdict(
  { from, to, protocol, port, allowed, egress, ingress }: ConnectionVerdict,
  policies: NetworkPolicy[],
): string {
  return [
    `${bold(from)} → ${bold(to)} port ${port}/${protocol}`,
    `  may it leave?  ${renderSide(egress, 'egress', policies)}`,
    `  may it enter?  ${renderSide(ingress, 'ingress', policies)}`,
    `  ${allowed ? green('allowed') : red('denied')}`,
  ].join('\n')
}

function renderSide(
  { allowed, policies: under, by }: SideVerdict,
  direction: 'egress' | 'ingress',
  policies: NetworkPolicy[],
): string {
  if (under.length === 0) return `yes: no policy selects this side for ${direction}`
  if (by) {
    const policy = policies.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === by.policy)
    const rule = JSON.stringify(policy?.spec[direction]?.[by.index] ?? {})
    return `yes: ${cyan(by.policy)} spec.${direction}[${by.index}] ${dim(rule)}`
  }
  if (allowed) return 'yes: a pod always reaches itself'
  return `no: no rule of ${under.map((name) => cyan(name)).join(', ')} allows it`
}
