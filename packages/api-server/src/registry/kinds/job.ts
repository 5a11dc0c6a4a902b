/**
 * Jobs: pods that run to completion. A Job finds its pods by its own uid, so that no two jobs ever share any.
 */

import { forbidden, invalid, notSupported, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label } from '@dinghy/shared/api/names'
import type { Job, JobSpec, ObjectMeta } from '@dinghy/shared/api/types'
import { domainPrefixedPath, labelSelector, nonNegative, oneOf, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { validateFailurePolicy, validateIndexes, validateSuccessPolicy } from './pod-failure-policy.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { validatePodTemplate } from './pod-spec/pod-spec.ts'
import { podWarnings } from './pod-spec/warnings.ts'
import { templateMatches } from './workload.ts'

export const jobs: KindRules<Job> = {
  strategy: {
    defaults({ metadata, spec }) {
      if (!spec) return
      defaultJobSpec(spec)
      defaultLabels(metadata, spec)
    },
    prepareForCreate(job) {
      generateSelector(job)
      defaultLabels(job.metadata, job.spec) // there may be some only now
    },
    generationOf: ({ spec }) => spec,
    validate: ({ metadata, spec }) => [
      ...validateHostname(metadata.name, spec),
      ...validateJobSpec(spec, 'spec'),
      ...(spec.selector ? labelSelector('spec.selector', spec.selector) : [required('spec.selector')]),
      ...templateMatches(spec.template, spec.selector),
    ],
    validateUpdate,
    warnings: ({ spec }) => podWarnings(spec.template?.spec, 'spec.template.spec'),
  },
  selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
}

const maxInt32 = 2147483647

export function defaultJobSpec(spec: JobSpec): void {
  defaultPodTemplate(spec.template)
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1
  spec.parallelism ??= 1
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32
  spec.completionMode ??= 'NonIndexed'
  spec.suspend ??= false
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed'
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True'
  }
}

function defaultLabels(metadata: ObjectMeta, { template }: JobSpec): void {
  const labels = template?.metadata?.labels
  if (labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels }
}

function generateSelector({ metadata, spec }: Job): void {
  if (spec.manualSelector || !spec.template) return
  const labels = ((spec.template.metadata ??= {}).labels ??= {})
  Object.assign(labels, {
    'batch.kubernetes.io/controller-uid': metadata.uid,
    'batch.kubernetes.io/job-name': metadata.name,
    // The names from before 1.27, which scripts still look for.
    'controller-uid': metadata.uid,
    'job-name': metadata.name,
  })
  spec.selector ??= {}
  spec.selector.matchLabels = {
    ...spec.selector.matchLabels,
    'batch.kubernetes.io/controller-uid': metadata.uid,
  }
}

/** Shared with CronJob; the selector is the Job's alone. */
export function validateJobSpec(spec: JobSpec, path: string): FieldError[] {
  const counts = [
    ...(['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished'] as const),
    ...(['backoffLimitPerIndex', 'maxFailedIndexes'] as const),
  ]
  const errors = counts.flatMap((field) => nonNegative(`${path}.${field}`, spec[field]))
  errors.push(...oneOf(`${path}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed']))
  errors.push(...validateIndexes(spec, path))
  if (spec.managedBy !== undefined) errors.push(...validateManager(spec.managedBy, `${path}.managedBy`))
  if (spec.successPolicy) errors.push(...validateSuccessPolicy(spec, `${path}.successPolicy`))
  errors.push(...validateFailurePolicy(spec, `${path}.podFailurePolicy`))
  const replacement = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  errors.push(...oneOf(`${path}.podReplacementPolicy`, spec.podReplacementPolicy, replacement))
  errors.push(...validatePodTemplate(spec.template, `${path}.template`))
  return [...errors, ...validateRestartPolicy(spec, path)]
}

const maxManagerBytes = 63

function validateManager(managedBy: string, path: string): FieldError[] {
  const errors = domainPrefixedPath(path, managedBy)
  return Buffer.byteLength(managedBy) > maxManagerBytes ? [...errors, tooLong(path, maxManagerBytes)] : errors
}

/** A pod of an indexed job is called after its number, and has that as its host name. */
function validateHostname(name: string, { completionMode, completions = 0 }: JobSpec): FieldError[] {
  if (completionMode !== 'Indexed' || completions <= 0) return []
  const hostname = `${name}-${completions - 1}`
  if (isDns1123Label(hostname).length === 0) return []
  const detail = `will not able to create pod with invalid DNS label: ${hostname}`
  return [invalid('metadata.name', name, detail)]
}

/** "Always" is what a template says that says nothing, so it is treated as missing. */
function validateRestartPolicy({ template, podFailurePolicy }: JobSpec, path: string): FieldError[] {
  const at = `${path}.template.spec.restartPolicy`
  const policy = template?.spec?.restartPolicy
  if (policy === 'Always' || policy === undefined) return [required(at, 'valid values: "OnFailure", "Never"')]
  if (policy !== 'OnFailure' && policy !== 'Never') return [notSupported(at, policy, ['OnFailure', 'Never'])]
  if (podFailurePolicy && policy !== 'Never') {
    return [invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
  }
  return []
}

function validateUpdate(next: Job, previous: Job): FieldError[] {
  const [now, before] = [next.spec, previous.spec]
  const errors: FieldError[] = []
  // An indexed job may grow or shrink, as long as it goes in step.
  const elastic = now.completionMode === 'Indexed' && now.completions === now.parallelism
  if (!elastic) errors.push(...unchanged('spec.completions', now.completions, before.completions))
  errors.push(...unchanged('spec.selector', now.selector, before.selector))
  errors.push(...unchanged('spec.completionMode', now.completionMode, before.completionMode))
  errors.push(...unchanged('spec.podFailurePolicy', now.podFailurePolicy, before.podFailurePolicy))
  errors.push(...unchanged('spec.backoffLimitPerIndex', now.backoffLimitPerIndex, before.backoffLimitPerIndex))
  const isFree = before.suspend === true && previous.status?.startTime === undefined
  errors.push(...unchanged('spec.template', fixedTemplate(next, isFree), fixedTemplate(previous, isFree)))
  if (previous.status?.startTime && now.managedBy !== before.managedBy) {
    errors.push(forbidden('spec.managedBy', 'field is immutable'))
  }
  return errors
}

/** A job that is suspended and has never run may still be told where its pods go: those fields do not count. */
function fixedTemplate({ spec }: Job, isFree: boolean): unknown {
  const template = structuredClone(spec.template)
  if (!isFree) return template
  for (const field of ['nodeSelector', 'affinity', 'tolerations', 'schedulingGates'] as const) {
    delete template.spec?.[field]
  }
  delete template.metadata?.labels
  delete template.metadata?.annotations
  return template
}
