/** The pods of a Job: what they look like, which index they work on, and when they count as over. Pure. */

import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { Jobs } from '@dinghy/shared/api/resources'
import type { Container, Draft, Job, Pod } from '@dinghy/shared/api/types'
import { isPodTerminal } from '../children/pod-state.ts'

/** While a pod has it, it has not been counted; without it, it may vanish. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
export const indexAnnotation = 'batch.kubernetes.io/job-completion-index'
/** How often the index of this pod had failed before, for backoffLimitPerIndex. */
const indexFailuresAnnotation = 'batch.kubernetes.io/job-index-failure-count'

export function isIndexed(job: Job): boolean {
  return job.spec.completionMode === 'Indexed'
}

export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) === true
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && !isPodTerminal(pod)
}

/** undefined if the pod has none, or one that the Job does not want. */
export function indexOf(job: Job, pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation] ?? ''
  const index = /^\d+$/.test(text) ? Number(text) : undefined
  return index !== undefined && index < (job.spec.completions ?? 0) ? index : undefined
}

export function failuresBefore(pod: Pod): number {
  return Number(pod.metadata.annotations?.[indexFailuresAnnotation] ?? 0)
}

/**
 * How a pod ended, as far as its Job is concerned. One that is being deleted counts as failed at once, because it may
 * never get to say how it ended; with podReplacementPolicy Failed its end is awaited, so that two never run together.
 */
export function endOf(job: Job, pod: Pod): 'succeeded' | 'failed' | undefined {
  if (pod.status.phase === 'Succeeded') return 'succeeded'
  if (pod.status.phase === 'Failed') return 'failed'
  if (pod.metadata.deletionTimestamp === undefined) return undefined
  const hasRun = Boolean(pod.spec.nodeName)
  return job.spec.podReplacementPolicy === 'Failed' && hasRun ? undefined : 'failed'
}

/** A pod for the Job; `index` for Indexed ones, with how often that index has failed before. */
export function jobPod(job: Job, index: number | undefined, failures: number): Draft<Pod> {
  const { template } = job.spec
  const { labels, annotations, finalizers = [] } = template.metadata ?? {}
  const { name, namespace } = job.metadata
  const indexes: Record<string, string> = index === undefined ? {} : { [indexAnnotation]: String(index) }
  const isLimited = index !== undefined && job.spec.backoffLimitPerIndex !== undefined
  const failureCount: Record<string, string> = isLimited ? { [indexFailuresAnnotation]: String(failures) } : {}
  const spec = template.spec ?? { containers: [] }
  return {
    metadata: {
      generateName: index === undefined ? `${name}-` : `${name}-${index}-`,
      namespace: namespace ?? '',
      labels: { ...labels, ...indexes },
      annotations: { ...annotations, ...indexes, ...failureCount },
      finalizers: [...finalizers, trackingFinalizer],
      ownerReferences: [ownerReferenceTo(job, Jobs)],
    },
    spec:
      index === undefined
        ? spec
        : {
            ...spec,
            hostname: `${name}-${index}`,
            containers: spec.containers.map(withIndexVariable),
            ...(spec.initContainers ? { initContainers: spec.initContainers.map(withIndexVariable) } : {}),
          },
  }
}

function withIndexVariable(container: Container): Container {
  const name = 'JOB_COMPLETION_INDEX'
  if (container.env?.some((variable) => variable.name === name)) return container
  const valueFrom = { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } }
  return { ...container, env: [...(container.env ?? []), { name, valueFrom }] }
}
