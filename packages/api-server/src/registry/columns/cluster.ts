/**
 * Columns of the cluster itself: Nodes, Namespaces, Events, Leases, configuration, quotas and priorities.
 */

import type {
  ConfigMap,
  Event,
  KubernetesObject,
  Lease,
  Namespace,
  Node,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  Secret,
  ServiceAccount,
} from '@dinghy/shared/api/types'
import type { ComponentStatus, EventSource } from 'kubernetes-types/core/v1.js'
import type { Column } from '../resource-definition.ts'
import { age, ageColumn, column, count, nameColumn, orNone, wide } from './column.ts'

export const nodeColumns: Column[] = [
  nameColumn,
  column<Node>('Status', 'Whether the node takes pods.', ({ spec, status }) => {
    const ready = status?.conditions?.find((c) => c.type === 'Ready')
    const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'
    return spec?.unschedulable ? `${state},SchedulingDisabled` : state
  }),
  column<Node>('Roles', 'What the node is for.', ({ metadata }) => orNone(nodeRoles(metadata.labels ?? {}).join(','))),
  ageColumn,
  column<Node>('Version', 'The version of its kubelet.', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
  wide<Node>('Internal-IP', 'Its address inside the cluster.', (node) => nodeAddress(node, 'InternalIP')),
  wide<Node>('External-IP', 'Its address outside the cluster.', (node) => nodeAddress(node, 'ExternalIP')),
  wide<Node>('OS-Image', 'Its operating system.', ({ status }) => status?.nodeInfo?.osImage || '<unknown>'),
  wide<Node>('Kernel-Version', 'Its kernel.', ({ status }) => status?.nodeInfo?.kernelVersion || '<unknown>'),
  wide<Node>('Container-Runtime', 'What runs its containers.', ({ status }) => {
    return status?.nodeInfo?.containerRuntimeVersion || '<unknown>'
  }),
]

export const namespaceColumns: Column[] = [
  nameColumn,
  column<Namespace>('Status', 'Active, or Terminating while it is emptied.', ({ status }) => status?.phase ?? ''),
  ageColumn,
]

export const eventColumns: Column[] = [
  column<Event>('Last Seen', 'When it last happened.', (event, now) => {
    const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp
    return age(last, now)
  }),
  column<Event>('Type', 'Normal or Warning.', ({ type }) => type ?? ''),
  column<Event>('Reason', 'Why, in one word.', ({ reason }) => reason ?? ''),
  column<Event>('Object', 'What it happened to.', ({ involvedObject: { kind = '', name = '' } }) =>
    name === '' ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`,
  ),
  wide<Event>('Subobject', 'Which part of the object.', ({ involvedObject }) => involvedObject.fieldPath ?? ''),
  wide<Event>('Source', 'Who reported it.', ({ source, reportingComponent, reportingInstance }) =>
    formatSource(source, reportingComponent, reportingInstance),
  ),
  column<Event>('Message', 'What happened.', ({ message }) => (message ?? '').trim()),
  wide<Event>('First Seen', 'When it first happened.', ({ firstTimestamp, eventTime }, now) =>
    age(firstTimestamp ?? eventTime, now),
  ),
  { ...wide<Event>('Count', 'How often.', ({ series, count }) => series?.count ?? count ?? 1), type: 'integer' },
  { ...nameColumn, priority: 1 },
]

export const leaseColumns: Column[] = [
  nameColumn,
  column<Lease>('Holder', 'Who holds it.', ({ spec }) => spec?.holderIdentity ?? ''),
  ageColumn,
]

export const configMapColumns: Column[] = [
  nameColumn,
  count<ConfigMap>('Data', 'How many keys.', ({ data, binaryData }) => size(data) + size(binaryData)),
  ageColumn,
]

export const secretColumns: Column[] = [
  nameColumn,
  column<Secret>('Type', 'What the keys mean.', ({ type }) => type ?? ''),
  count<Secret>('Data', 'How many keys.', ({ data }) => size(data)),
  ageColumn,
]

export const serviceAccountColumns: Column[] = [
  nameColumn,
  count<ServiceAccount>('Secrets', 'Secrets that pods of this account may use.', ({ secrets }) => secrets?.length ?? 0),
  ageColumn,
]

export const resourceQuotaColumns: Column[] = [
  nameColumn,
  column<ResourceQuota>('Request', 'What is used, of what is allowed.', (quota) => formatQuota(quota, false)),
  column<ResourceQuota>('Limit', 'Limits in use, of what is allowed.', (quota) => formatQuota(quota, true)),
  ageColumn,
]

export const priorityClassColumns: Column[] = [
  nameColumn,
  count<PriorityClass>('Value', 'Pods with a higher value go first.', ({ value }) => value),
  {
    ...column<PriorityClass>(
      'Global-Default',
      'Whether pods without a class get this one.',
      ({ globalDefault }) => globalDefault ?? false,
    ),
    type: 'boolean',
  },
  ageColumn,
  column<PriorityClass>('PreemptionPolicy', 'Whether its pods push others out.', ({ preemptionPolicy }) => {
    return preemptionPolicy ?? 'PreemptLowerPriority'
  }),
]

export const runtimeClassColumns: Column[] = [
  nameColumn,
  column<RuntimeClass>('Handler', 'The runtime’s name for it.', ({ handler }) => handler),
  ageColumn,
]

export const componentStatusColumns: Column[] = [
  nameColumn,
  column<KubernetesObject & ComponentStatus>('Status', 'Healthy or not.', (component) => {
    const { status } = healthy(component) ?? {}
    return status === undefined ? 'Unknown' : status === 'True' ? 'Healthy' : 'Unhealthy'
  }),
  column<KubernetesObject & ComponentStatus>('Message', 'What it said.', (c) => healthy(c)?.message ?? ''),
  column<KubernetesObject & ComponentStatus>('Error', 'What went wrong.', (c) => healthy(c)?.error ?? ''),
]

function healthy({ conditions }: ComponentStatus) {
  return conditions?.find((condition) => condition.type === 'Healthy')
}

const rolePrefix = 'node-role.kubernetes.io/'

function nodeRoles(labels: Record<string, string>): string[] {
  const roles = Object.entries(labels).map(([key, value]) =>
    key.startsWith(rolePrefix) ? key.slice(rolePrefix.length) : key === 'kubernetes.io/role' ? value : '',
  )
  return [...new Set(roles.filter((role) => role !== ''))].sort()
}

function nodeAddress({ status }: Node, type: string): string {
  return orNone(status?.addresses?.find((address) => address.type === type)?.address)
}

function formatSource(source: EventSource | undefined, component = '', instance = ''): string {
  const names = [source?.component || component, source?.host || instance]
  return names.filter((name) => name !== '').join(', ')
}

function formatQuota({ status }: ResourceQuota, limits: boolean): string {
  return Object.entries(status?.hard ?? {})
    .filter(([resource]) => resource.startsWith('limits.') === limits)
    .map(([resource, hard]) => `${resource}: ${status?.used?.[resource] ?? '0'}/${hard}`)
    .sort()
    .join(', ')
}

function size(map: object | undefined): number {
  return Object.keys(map ?? {}).length
}
