/**
 * Jobs: pods that run to completion. A Job finds its pods by its own uid, so that no two jobs ever share any.
 */

import { invalid, notSupported, required, StringMap, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label } from '@dinghy/shared/api/names'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { Job, JobSpec, KubernetesObject, ObjectMeta } from '@dinghy/shared/api/types'
import { domainPrefixedPath, labelSelector, nonNegative, oneOf, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { validateFailurePolicy, validateIndexes, validateSuccessPolicy } from './pod-failure-policy.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { validatePodTemplate } from './pod-spec/pod-spec.ts'
import { nameWarnings, templateWarnings } from './pod-spec/warnings.ts'
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
    validateCreate: (job) => [...validateGenerated(job), ...validateHostname(job.metadata.name, job.spec)],
    validate: ({ spec }) => [
      ...validateJobSpec(spec, 'spec'),
      ...(spec.selector ? labelSelector('spec.selector', spec.selector) : [required('spec.selector')]),
      ...templateMatches(spec.template, spec.selector),
    ],
    validateUpdate,
    warnings: (next, previous) => [
      ...nameWarnings(next.metadata.name, previous),
      ...jobSpecWarnings(next, previous, next.spec, 'spec'),
    ],
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

const uidLabel = 'batch.kubernetes.io/controller-uid'

/** Each fact by two labels: those without a prefix are from before 1.27, and scripts still look for them. */
function generatedLabels({ name, uid }: ObjectMeta): Record<string, string> {
  return { 'controller-uid': uid, 'job-name': name, [uidLabel]: uid, 'batch.kubernetes.io/job-name': name }
}

/** Adds what is missing. What is there and wrong is refused: an exported Job has the labels of the one that it was. */
function generateSelector({ metadata, spec }: Job): void {
  if (spec.manualSelector || !spec.template) return
  const labels = ((spec.template.metadata ??= {}).labels ??= {})
  for (const [label, value] of Object.entries(generatedLabels(metadata))) {
    // The second attempt at a generated name finds the labels of the first one.
    if (metadata.generateName && value === metadata.name) labels[label] = value
    else labels[label] ??= value
  }
  const selected = ((spec.selector ??= {}).matchLabels ??= {})
  selected[uidLabel] ??= metadata.uid
}

function validateGenerated({ metadata, spec }: Job): FieldError[] {
  if (spec.manualSelector || !spec.selector) return []
  const expected = generatedLabels(metadata)
  const labels = spec.template?.metadata?.labels ?? {}
  const errors = Object.entries(expected)
    .filter(([label, value]) => labels[label] !== value)
    .map(([label, value]) => {
      const path = `spec.template.metadata.labels[${label}]`
      return invalid(path, new StringMap(labels), `must be '${value}'`)
    })
  const isReadable = labelSelector('spec.selector', spec.selector).length === 0
  if (isReadable && !matchesLabels(labelSelectorFrom(spec.selector), expected)) {
    errors.push(invalid('spec.selector', spec.selector, '`selector` not auto-generated'))
  }
  return errors
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

const maxTrackedCompletions = 100_000
const maxTrackedParallelism = 10_000

/** Shared with CronJob: `next` and `previous` are the objects that have the spec. */
export function jobSpecWarnings(
  next: KubernetesObject,
  previous: KubernetesObject | undefined,
  spec: JobSpec | undefined,
  path: string,
): string[] {
  const { completionMode, completions = 0, parallelism = 0 } = spec ?? {}
  const isSame = previous !== undefined && next.metadata.generation === previous.metadata.generation
  const isTooLarge = completions > maxTrackedCompletions && parallelism > maxTrackedParallelism
  const untracked =
    'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail'
  return [
    ...(completionMode === 'Indexed' && isTooLarge && !isSame ? [`${path}: ${untracked}`] : []),
    ...templateWarnings(next, previous, spec?.template, `${path}.template`),
  ]
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
  if (now.completionMode !== 'Indexed') {
    errors.push(...unchanged('spec.completions', now.completions, before.completions))
  } else if (now.completions !== before.completions && now.completions !== now.parallelism) {
    errors.push(invalid('spec.completions', now.completions, 'can only be modified in tandem with spec.parallelism'))
  }
  errors.push(...unchanged('spec.selector', now.selector, before.selector))
  const isFree = before.suspend === true && previous.status?.startTime === undefined
  errors.push(...unchanged('spec.template', fixedTemplate(next, isFree), fixedTemplate(previous, isFree)))
  errors.push(...unchanged('spec.completionMode', now.completionMode, before.completionMode))
  errors.push(...unchanged('spec.podFailurePolicy', now.podFailurePolicy, before.podFailurePolicy))
  errors.push(...unchanged('spec.backoffLimitPerIndex', now.backoffLimitPerIndex, before.backoffLimitPerIndex))
  errors.push(...unchanged('spec.managedBy', now.managedBy, before.managedBy))
  return [...errors, ...unchanged('spec.successPolicy', now.successPolicy, before.successPolicy)]
}

/** A job that is suspended and has never run may still be told where its pods go: those fields do not count. */
function fixedTemplate({ spec }: Job, isFree: boolean): unknown {
  const template = structuredClone(spec.template)
  if (!isFree) return template
  for (const field of ['nodeSelector', 'tolerations', 'schedulingGates'] as const) delete template.spec?.[field]
  if (template.spec?.affinity) {
    const { nodeAffinity: _, ...others } = template.spec.affinity
    template.spec.affinity = others
    if (Object.keys(others).length === 0) delete template.spec.affinity
  }
  delete template.metadata?.labels
  delete template.metadata?.annotations
  return template
}
