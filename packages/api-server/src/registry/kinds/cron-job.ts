/**
 * CronJobs: a schedule, and the job to start.
 */

import { scheduleFault } from '@dinghy/shared/api/cron-schedule'
import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { CronJob, CronJobSpec, JobSpec } from '@dinghy/shared/api/types'
import { isTimeZone } from '@dinghy/shared/api/wall-clock'
import { nonNegative, requiredOneOf } from './checks.ts'
import { defaultJobSpec, jobSpecWarnings, validateJobSpec } from './job.ts'
import type { KindRules } from './kind-rules.ts'
import { nameWarnings } from './pod-spec/warnings.ts'

export const cronJobs: KindRules<CronJob> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      spec.concurrencyPolicy ||= 'Allow'
      spec.suspend ??= false
      spec.successfulJobsHistoryLimit ??= 3
      spec.failedJobsHistoryLimit ??= 1
      if (spec.jobTemplate?.spec) defaultCronJobTemplate(spec)
    },
    validateCreate: validateLength,
    generationOf: ({ spec }) => spec,
    validate: ({ spec }) => [
      ...validateSchedule(spec),
      ...nonNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
      ...requiredOneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']),
      ...(spec.jobTemplate?.spec
        ? [
            ...validateJobSpec(spec.jobTemplate.spec, 'spec.jobTemplate.spec'),
            ...validateNoSelector(spec.jobTemplate.spec, 'spec.jobTemplate.spec'),
          ]
        : [required('spec.jobTemplate.spec')]),
      ...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
      ...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
    ],
    warnings: (next, previous) => [
      ...nameWarnings(next.metadata.name, previous),
      ...jobSpecWarnings(next, previous, next.spec.jobTemplate.spec, 'spec.jobTemplate.spec'),
    ],
  },
}

/** What a Job gets at its own creation stays out of the template, as upstream's defaulting leaves it. */
function defaultCronJobTemplate(spec: CronJobSpec): void {
  const { spec: job } = spec.jobTemplate
  if (!job) return
  const sent = { ...job }
  defaultJobSpec(job)
  const ofTheJob = [
    'completions',
    'parallelism',
    'backoffLimit',
    'completionMode',
    'suspend',
    'podReplacementPolicy',
  ] as const
  for (const field of ofTheJob) if (sent[field] === undefined) delete job[field]
}

const maxNameBytes = 52

/** The name of a job is the CronJob's and eleven characters more, and must still fit a label. */
function validateLength({ metadata: { name } }: CronJob): FieldError[] {
  if (Buffer.byteLength(name) <= maxNameBytes) return []
  return [invalid('metadata.name', name, `must be no more than ${maxNameBytes} characters`)]
}

/** Each job gets a selector of its own. */
function validateNoSelector({ selector, manualSelector }: JobSpec, path: string): FieldError[] {
  return [
    ...(selector ? [invalid(`${path}.selector`, selector, '`selector` will be auto-generated')] : []),
    ...(manualSelector ? [notSupported(`${path}.manualSelector`, true, ['nil', 'false'])] : []),
  ]
}

function validateSchedule({ schedule, timeZone }: CronJobSpec): FieldError[] {
  if (!schedule) return [required('spec.schedule')]
  const errors: FieldError[] = []
  const fault = scheduleFault(schedule.replace(/^(CRON_)?TZ=\S* /, ''))
  if (fault !== undefined) errors.push(invalid('spec.schedule', schedule, fault))
  if (schedule.includes('TZ')) {
    const detail = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'
    errors.push(invalid('spec.schedule', schedule, detail))
  }
  return [...errors, ...validateTimeZone('spec.timeZone', timeZone)]
}

const zonePart = /^[A-Za-z.\-_0-9+]{1,14}$/

function validateTimeZone(path: string, timeZone: string | undefined): FieldError[] {
  if (timeZone === undefined) return []
  if (timeZone === '') return [invalid(path, timeZone, 'timeZone must be nil or non-empty string')]
  const unknown = invalid(path, timeZone, `unknown time zone ${timeZone}`)
  const isPart = (part: string) => part !== '.' && part !== '..' && !part.startsWith('-') && zonePart.test(part)
  if (!timeZone.split('/').every(isPart)) return [unknown]
  if (timeZone.toLowerCase() === 'local') {
    const detail = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'
    return [invalid(path, timeZone, detail)]
  }
  return isTimeZone(timeZone) ? [] : [unknown]
}
