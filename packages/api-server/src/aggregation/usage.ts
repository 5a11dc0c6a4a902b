/**
 * metrics.k8s.io's answers, made of what kubelets report (their /stats/summary). Pure; shapes and units as
 * metrics-server writes them: CPU in nanocores, memory in KiB.
 */

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

export function nodeMetrics({ name, labels }: Measured, { node }: Summary, now: string): object {
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
export function podMetrics(pod: Measured, { containers }: PodSummary, now: string): object | undefined {
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

function metadataOf({ name, namespace, labels }: Measured, now: string): object {
  return { name, ...(namespace ? { namespace } : {}), creationTimestamp: now, ...(labels ? { labels } : {}) }
}

function usageOf({ cpu, memory }: Used): Usage {
  return {
    cpu: cpu?.usageNanoCores ? `${cpu.usageNanoCores}n` : '0',
    memory: `${Math.round((memory?.workingSetBytes ?? 0) / 1024)}Ki`,
  }
}
