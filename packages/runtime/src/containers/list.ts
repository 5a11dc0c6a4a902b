/**
 * Which containers `docker ps` and `docker container prune` mean. Pure.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import type { Published } from '../networks/port-proxy.ts'
import { anyOf, labelsMatch, matchesText, type Filters } from '../filters.ts'
import type { ContainerRecord } from './record.ts'
import { isUp } from './state.ts'

export const listFilters = [
  'ancestor',
  'before',
  'expose',
  'exited',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
]

const statuses = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead']

export interface ListQuery {
  all: boolean
  /** The newest so many, running or not; 0 for no limit. */
  limit: number
  filters: Filters
}

/** What the filters ask of the world around a record. */
export interface ListContext {
  /** Ports of this machine that lead to the container now. */
  published: (record: ContainerRecord) => PublishedPort[]
  /** The image of that name or id and the images that were built from it; nothing for a name that is none. */
  descendants: ReadonlyMap<string, ReadonlySet<string>>
}

type PublishedPort = Pick<Published, 'hostPort' | 'containerPort' | 'protocol'>

/** `records` newest first; `find` resolves the containers that `before` and `since` name. */
export function selectContainers(
  records: ContainerRecord[],
  { all, limit, filters }: ListQuery,
  find: (reference: string) => ContainerRecord,
  context: ListContext,
): ContainerRecord[] {
  for (const status of filters.get('status') ?? []) {
    if (!statuses.includes(status)) throw badParameter(`invalid filter 'status=${status}'`)
  }
  for (const code of filters.get('exited') ?? []) {
    if (!/^-?\d+$/.test(code)) throw badParameter(`invalid filter 'exited=${code}'`)
  }
  // Asking for a status or an exit code means asking for stopped containers too.
  const includesStopped = all || limit > 0 || filters.has('status') || filters.has('exited')
  const createdOf = (name: string) => filters.get(name)?.map((reference) => find(reference).created) ?? []
  const before = createdOf('before')
  const since = createdOf('since')
  const selected = records.filter(
    (record) =>
      (includesStopped || isUp(record.state.status)) &&
      before.every((created) => record.created < created) &&
      since.every((created) => record.created > created) &&
      matchesFilters(record, filters, context),
  )
  return limit > 0 ? selected.slice(0, limit) : selected
}

export function matchesFilters(record: ContainerRecord, filters: Filters, context: ListContext): boolean {
  const { state, config, name, id, networks, mounts, imageId } = record
  return (
    anyOf(filters, 'status', (status) => state.status === status) &&
    anyOf(filters, 'exited', (code) => state.status === 'exited' && state.exitCode === Number(code)) &&
    anyOf(filters, 'id', (prefix) => id.startsWith(prefix)) &&
    anyOf(filters, 'name', (pattern) => matchesText(pattern, name) || matchesText(pattern, `/${name}`)) &&
    anyOf(filters, 'ancestor', (image) => context.descendants.get(image)?.has(imageId) ?? false) &&
    anyOf(filters, 'health', (health) => (state.health?.Status ?? 'none') === health) &&
    anyOf(
      filters,
      'network',
      (network) =>
        network in networks || Object.values(networks).some(({ NetworkID }) => NetworkID.startsWith(network)),
    ) &&
    anyOf(filters, 'volume', (volume) =>
      mounts.some((mount) => mount.volume === volume || mount.target === volume || mount.source === volume),
    ) &&
    hasPort(record, filters, context) &&
    labelsMatch(filters, config.Labels)
  )
}

/** One of the ports in `publish` is published, or one in `expose` is exposed: as in Docker, either will do. */
function hasPort(record: ContainerRecord, filters: Filters, { published }: ListContext): boolean {
  const wanted = (name: string) => filters.get(name)?.map(portRange) ?? []
  const [publish, expose] = [wanted('publish'), wanted('expose')]
  if (publish.length + expose.length === 0) return true
  const ports = published(record)
  const exposed = [
    ...Object.keys(record.config.ExposedPorts ?? {}).map(portRange),
    ...ports.map(({ containerPort, protocol }) => ({ first: containerPort, last: containerPort, protocol })),
  ]
  const isIn = (port: number, protocol: string) => (range: PortRange) =>
    range.protocol === protocol && range.first <= port && port <= range.last
  return (
    ports.some(({ hostPort, protocol }) => publish.some(isIn(hostPort, protocol))) ||
    exposed.some(({ first, protocol }) => expose.some(isIn(first, protocol)))
  )
}

interface PortRange {
  first: number
  last: number
  protocol: string
}

/** `80`, `80/udp`, `8000-8080/tcp`. */
function portRange(text: string): PortRange {
  const [, first = '', last = first, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? []
  if (first === '') throw badParameter(`invalid filter: ${text} is no port`)
  return { first: Number(first), last: Number(last), protocol }
}
