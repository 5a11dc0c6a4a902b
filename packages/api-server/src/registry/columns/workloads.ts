/**
 * Columns of what makes pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs and their relatives.
 */

import { humanDuration } from '@dinghy/shared/api/duration'
import { controllerOf } from '@dinghy/shared/api/owners'
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  Job,
  KubernetesObject,
  PodDisruptionBudget,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '@dinghy/shared/api/types'
import type { Column } from '../resource-definition.ts'
import { formatMetrics } from './autoscaling.ts'
import {
  age,
  ageColumn,
  column,
  containerColumns,
  count,
  formatLabels,
  formatSelector,
  nameColumn,
  wide,
} from './column.ts'

export const deploymentColumns: Column[] = [
  nameColumn,
  column<Deployment>('Ready', 'Pods that are ready, of all that are wanted.', ({ spec, status }) => {
    return `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`
  }),
  count<Deployment>('Up-to-date', 'Pods made from the current template.', ({ status }) => status?.updatedReplicas ?? 0),
  count<Deployment>('Available', 'Pods that have been ready for minReadySeconds.', ({ status }) => {
    return status?.availableReplicas ?? 0
  }),
  ageColumn,
  ...containerColumns('spec', 'template'),
  wide<Deployment>('Selector', 'Which pods belong to it.', ({ spec }) => formatSelector(spec?.selector)),
]

export const replicaSetColumns: Column[] = [
  nameColumn,
  count<ReplicaSet>('Desired', 'Pods that are wanted.', ({ spec }) => spec?.replicas ?? 0),
  count<ReplicaSet>('Current', 'Pods that exist.', ({ status }) => status?.replicas ?? 0),
  count<ReplicaSet>('Ready', 'Pods that are ready.', ({ status }) => status?.readyReplicas ?? 0),
  ageColumn,
  ...containerColumns('spec', 'template'),
  wide<ReplicaSet>('Selector', 'Which pods belong to it.', ({ spec }) => formatSelector(spec?.selector)),
]

export const replicationControllerColumns: Column[] = [
  ...replicaSetColumns.slice(0, -3),
  ...containerColumns('spec', 'template'),
  wide<ReplicationController>('Selector', 'Which pods belong to it.', ({ spec }) => formatLabels(spec?.selector)),
]

export const statefulSetColumns: Column[] = [
  nameColumn,
  column<StatefulSet>('Ready', 'Pods that are ready, of all that are wanted.', ({ spec, status }) => {
    return `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`
  }),
  ageColumn,
  ...containerColumns('spec', 'template'),
]

export const daemonSetColumns: Column[] = [
  nameColumn,
  count<DaemonSet>('Desired', 'Nodes that should run the pod.', ({ status }) => status?.desiredNumberScheduled ?? 0),
  count<DaemonSet>(
    'Current',
    'Nodes that run the pod and should.',
    ({ status }) => status?.currentNumberScheduled ?? 0,
  ),
  count<DaemonSet>('Ready', 'Nodes whose pod is ready.', ({ status }) => status?.numberReady ?? 0),
  count<DaemonSet>('Up-to-date', 'Nodes whose pod is made from the current template.', ({ status }) => {
    return status?.updatedNumberScheduled ?? 0
  }),
  count<DaemonSet>('Available', 'Nodes whose pod has been ready for minReadySeconds.', ({ status }) => {
    return status?.numberAvailable ?? 0
  }),
  column<DaemonSet>('Node Selector', 'Labels a node must have.', ({ spec }) =>
    formatLabels(spec?.template.spec?.nodeSelector),
  ),
  ageColumn,
  ...containerColumns('spec', 'template'),
  wide<DaemonSet>('Selector', 'Which pods belong to it.', ({ spec }) => formatSelector(spec?.selector)),
]

export const jobColumns: Column[] = [
  nameColumn,
  column<Job>('Status', 'Whether the job runs, is done or has failed.', jobStatus),
  column<Job>('Completions', 'Pods that succeeded, of all that must.', jobCompletions),
  column<Job>('Duration', 'How long the job took, or has been running.', jobDuration),
  ageColumn,
  ...containerColumns('spec', 'template'),
  wide<Job>('Selector', 'Which pods belong to it.', ({ spec }) => formatSelector(spec?.selector)),
]

export const cronJobColumns: Column[] = [
  nameColumn,
  column<CronJob>('Schedule', 'When jobs are started, in cron’s notation.', ({ spec }) => spec?.schedule ?? ''),
  column<CronJob>('Timezone', 'The time zone of the schedule.', ({ spec }) => spec?.timeZone || '<none>'),
  {
    ...column<CronJob>('Suspend', 'Whether no further jobs are started.', ({ spec }) => {
      return spec?.suspend === true ? 'True' : spec?.suspend === false ? 'False' : '<unset>'
    }),
    type: 'boolean',
  },
  count<CronJob>('Active', 'Jobs that are running.', ({ status }) => status?.active?.length ?? 0),
  column<CronJob>('Last Schedule', 'When a job was last started.', ({ status }, now) =>
    status?.lastScheduleTime ? age(status.lastScheduleTime, now) : '<none>',
  ),
  ageColumn,
  ...containerColumns('spec', 'jobTemplate', 'spec', 'template'),
  wide<CronJob>('Selector', 'Which pods belong to its jobs.', ({ spec }) =>
    formatSelector(spec?.jobTemplate.spec?.selector),
  ),
]

export const podTemplateColumns: Column[] = [
  nameColumn,
  ...containerColumns('template').map((c) => ({ ...c, priority: 0 })),
  column<PodTemplate>('Pod Labels', 'Labels of the pods made from it.', ({ template }) =>
    formatLabels(template?.metadata?.labels),
  ),
]

export const controllerRevisionColumns: Column[] = [
  nameColumn,
  column<ControllerRevision>('Controller', 'The set whose past this is.', (revision) => {
    const owner = controllerOf(revision)
    if (!owner) return '<none>'
    const [group] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : ['']
    return `${owner.kind.toLowerCase()}${group ? `.${group}` : ''}/${owner.name}`
  }),
  count<ControllerRevision>('Revision', 'Its place in the history.', ({ revision }) => revision),
  ageColumn,
]

export const horizontalPodAutoscalerColumns: Column[] = [
  nameColumn,
  column<HorizontalPodAutoscaler>('Reference', 'What is scaled.', ({ spec }) => {
    return `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`
  }),
  column<HorizontalPodAutoscaler>('Targets', 'Each metric’s current value and its target.', formatMetrics),
  column<HorizontalPodAutoscaler>('MinPods', 'The fewest pods.', ({ spec }) => String(spec?.minReplicas ?? '<unset>')),
  count<HorizontalPodAutoscaler>('MaxPods', 'The most pods.', ({ spec }) => spec?.maxReplicas ?? 0),
  count<HorizontalPodAutoscaler>('Replicas', 'Pods at present.', ({ status }) => status?.currentReplicas ?? 0),
  ageColumn,
]

export const podDisruptionBudgetColumns: Column[] = [
  nameColumn,
  column<PodDisruptionBudget>('Min Available', 'Pods that must stay.', ({ spec }) =>
    String(spec?.minAvailable ?? 'N/A'),
  ),
  column<PodDisruptionBudget>('Max Unavailable', 'Pods that may be gone.', ({ spec }) => {
    return String(spec?.maxUnavailable ?? 'N/A')
  }),
  count<PodDisruptionBudget>('Allowed Disruptions', 'Pods that may be evicted right now.', ({ status }) => {
    return status?.disruptionsAllowed ?? 0
  }),
  ageColumn,
]

function jobStatus(job: Job): string {
  const has = (type: string) => (job.status?.conditions ?? []).some((c) => c.type === type && c.status === 'True')
  if (has('Complete')) return 'Complete'
  if (has('Failed')) return 'Failed'
  if (job.metadata.deletionTimestamp) return 'Terminating'
  if (has('Suspended')) return 'Suspended'
  if (has('FailureTarget')) return 'FailureTarget'
  return has('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running'
}

function jobCompletions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`
  const parallelism = spec?.parallelism ?? 0
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

/** A failed job has no completion time; its duration ends with its failure. */
function jobDuration({ status }: Job, now: number): string {
  if (!status?.startTime) return ''
  const failed = status.conditions?.find((c) => c.type === 'Failed' && c.status === 'True')?.lastTransitionTime
  const end = status.completionTime ?? failed
  return humanDuration((end ? Date.parse(end) : now) - Date.parse(status.startTime))
}

/** What `kubectl get deployment/web --subresource=scale` shows of a Scale. */
export const scaleColumns: Column[] = [
  nameColumn,
  count<ScaleView>('Desired', 'How many there should be.', ({ spec }) => spec?.replicas ?? 0),
  count<ScaleView>('Available', 'How many there are.', ({ status }) => status?.replicas ?? 0),
  ageColumn,
]

interface ScaleView extends KubernetesObject {
  spec?: { replicas?: number }
  status?: { replicas: number }
}
