/**
 * metrics.k8s.io's answers, made of what kubelets report (their /stats/summary). Pure; shapes and units as
 * metrics-server writes them: CPU in nanocores, memory in KiB.
 */

import { addQuantities } from '@dinghy/shared/api/quantity'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Column } from '../registry/resource-definition.ts'

export interface Metrics extends KubernetesObject {
  timestamp: string
  window: string
  /** Of a node. */
  usage?: Usage
  /** Of a pod. */
  containers?: { name: string; usage: Usage }[]
}

export interface Summary {
  node: { nodeName: string } & Used
  pods: PodSummary[]
}

export interface PodSummary {
  podRef: { name: string; namespace: string }
  containers: (Used & { name: string })[]
}

interface Used {
  cpu?: { time: string; usageNanoCores: number }
  memory?: { time: string; workingSetBytes: number }
}

interface Usage {
  cpu: string
  memory: string
}

/** The parts of an object's metadata that its metrics repeat. */
export interface Measured {
  name: string
  namespace?: string
  labels?: Record<string, string>
}

/** Over how long kubelets look before they say how fast CPU is used: the time between two readings. */
const window = '10s'

export function nodeMetrics({ name, labels }: Measured, { node }: Summary, now: string): Metrics {
  return {
    kind: 'NodeMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: metadataOf({ name, ...(labels ? { labels } : {}) }, now),
    timestamp: node.cpu?.time ?? now,
    window,
    usage: usageOf(node),
  }
}

/** Undefined while no container has been measured: upstream does not list such a pod. */
export function podMetrics(pod: Measured, { containers }: PodSummary, now: string): Metrics | undefined {
  const measured = containers.filter(({ cpu, memory }) => cpu && memory)
  const [first] = measured
  if (!first) return undefined
  return {
    kind: 'PodMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: metadataOf(pod, now),
    timestamp: first.cpu?.time ?? now,
    window,
    containers: measured.map((container) => ({ name: container.name, usage: usageOf(container) })),
  }
}

export function metricsList(kind: 'NodeMetrics' | 'PodMetrics', items: object[]): object {
  return { kind: `${kind}List`, apiVersion: 'metrics.k8s.io/v1beta1', metadata: {}, items }
}

/** What `kubectl get` shows of either. Two of the names are resources', and so small. */
export const metricsColumns: Column[] = [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name of the resource',
    priority: 0,
    cell: ({ metadata }) => metadata.name,
  },
  ...(['cpu', 'memory'] as const).map((name) => column(name, 'quantity', (metrics) => total(metrics, name))),
  column('Window', 'duration', ({ window: over }) => over),
]

function column(name: string, format: string, cell: (metrics: Metrics) => string): Column {
  return {
    name,
    type: 'string',
    format,
    description: '',
    priority: 0,
    cell: (object) => cell(object as unknown as Metrics),
  }
}

function total({ usage, containers = [] }: Metrics, name: keyof Usage): string {
  return usage ? usage[name] : containers.map((container) => container.usage[name]).reduce(addQuantities)
}

function metadataOf({ name, namespace, labels }: Measured, now: string): KubernetesObject['metadata'] {
  const metadata = { name, ...(namespace ? { namespace } : {}), creationTimestamp: now, ...(labels ? { labels } : {}) }
  return metadata as KubernetesObject['metadata'] // what is not stored has neither uid nor revision
}

function usageOf({ cpu, memory }: Used): Usage {
  return {
    cpu: cpu?.usageNanoCores ? `${cpu.usageNanoCores}n` : '0',
    memory: `${Math.round((memory?.workingSetBytes ?? 0) / 1024)}Ki`,
  }
}
