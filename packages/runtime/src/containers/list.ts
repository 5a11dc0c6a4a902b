/**
 * Which containers `docker ps` and `docker container prune` mean. Pure.
 */
import { badParameter } from '../docker/errors.ts'
import { anyOf, labelsMatch, matchesText, type Filters } from '../docker/filters.ts'
import type { ContainerRecord } from './record.ts'
import { isUp } from './state.ts'

export const LIST_FILTERS = [
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

const STATUSES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead']

export interface ListQuery {
  all: boolean
  /** The newest so many, running or not; 0 for no limit. */
  limit: number
  filters: Filters
}

/** `records` newest first; `find` resolves the containers that `before` and `since` name. */
export function selectContainers(
  records: ContainerRecord[],
  { all, limit, filters }: ListQuery,
  find: (reference: string) => ContainerRecord,
): ContainerRecord[] {
  for (const status of filters.get('status') ?? []) {
    if (!STATUSES.includes(status)) throw badParameter(`invalid filter 'status=${status}'`)
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
      matchesFilters(record, filters),
  )
  return limit > 0 ? selected.slice(0, limit) : selected
}

export function matchesFilters(record: ContainerRecord, filters: Filters): boolean {
  const { state, config, name, id, networks, mounts, imageId, hostConfig } = record
  return (
    anyOf(filters, 'status', (status) => state.status === status) &&
    anyOf(filters, 'exited', (code) => state.status === 'exited' && state.exitCode === Number(code)) &&
    anyOf(filters, 'id', (prefix) => id.startsWith(prefix)) &&
    anyOf(filters, 'name', (pattern) => matchesText(pattern, name) || matchesText(pattern, `/${name}`)) &&
    anyOf(filters, 'ancestor', (image) => isAncestor(image, config.Image, imageId)) &&
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
    anyOf(filters, 'publish', (port) => withProtocol(port) in hostConfig.PortBindings) &&
    anyOf(filters, 'expose', (port) => withProtocol(port) in (config.ExposedPorts ?? {})) &&
    labelsMatch(filters, config.Labels)
  )
}

const withProtocol = (port: string): string => (port.includes('/') ? port : `${port}/tcp`)

function isAncestor(wanted: string, image: string, imageId: string): boolean {
  const tagged = (name: string) => (/:[^/]*$/.test(name) ? name : `${name}:latest`)
  return tagged(wanted) === tagged(image) || imageId === wanted || imageId.startsWith(`sha256:${wanted}`)
}
