/**
 * What a HorizontalPodAutoscaler measures, and the value it aims for. Follows pkg/apis/autoscaling/validation.
 */

import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isPathSegmentName } from '@dinghy/shared/api/names'
import { compareQuantities } from '@dinghy/shared/api/quantity'
import type {
  ContainerResourceMetricSource,
  CrossVersionObjectReference,
  ExternalMetricSource,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
  ObjectMetricSource,
  PodsMetricSource,
  ResourceMetricSource,
} from 'kubernetes-types/autoscaling/v2.js'
import { named } from './checks.ts'

/** In the order in which upstream looks at them: only the first one that is there is looked into. */
const sources = ['object', 'external', 'pods', 'resource', 'containerResource'] as const
const types: Record<string, (typeof sources)[number]> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
}

export function validateMetric(metric: MetricSpec, path: string): FieldError[] {
  const { type } = metric
  const errors: FieldError[] = type ? [] : [required(`${path}.type`, 'must specify a metric source type')]
  const expected = new Map(Object.entries(types)).get(type)
  const unknown = notSupported(`${path}.type`, type, Object.keys(types))
  if (!expected) errors.push(unknown)
  const present = sources.filter((source) => metric[source])
  const [first] = present
  if (first) errors.push(...validateSource(metric, first, `${path}.${first}`))
  // Upstream says it twice.
  if (!expected) errors.push(unknown)
  else if (!metric[expected]) {
    errors.push(required(`${path}.${expected}`, 'must populate information for the given metric source'))
  }
  if (present.length === 1) return errors
  const others = present.filter((source) => source !== expected)
  return [
    ...errors,
    ...others.map((source) => forbidden(`${path}.${source}`, 'must populate the given metric source only')),
  ]
}

function validateSource(metric: MetricSpec, source: (typeof sources)[number], path: string): FieldError[] {
  const { object, external, pods, resource, containerResource } = metric
  if (source === 'object' && object) return validateObject(object, path)
  if (source === 'external' && external) return validateExternal(external, path)
  if (source === 'pods' && pods) return validatePods(pods, path)
  if (source === 'resource' && resource) return validateResource(resource, path)
  return containerResource ? validateContainerResource(containerResource, path) : []
}

export function validateReference({ kind, name }: CrossVersionObjectReference, path: string): FieldError[] {
  return Object.entries({ kind, name }).flatMap(([field, text]) =>
    text ? named(`${path}.${field}`, text, isPathSegmentName(text)) : [required(`${path}.${field}`)],
  )
}

function validateObject({ describedObject, metric, target }: ObjectMetricSource, path: string): FieldError[] {
  const errors = [
    ...validateReference(describedObject, `${path}.describedObject`),
    ...validateIdentifier(metric, `${path}.metric`),
    ...validateTarget(target, `${path}.target`),
  ]
  if (target.value || target.averageValue) return errors
  return [...errors, required(`${path}.target.averageValue`, 'must set either a target value or averageValue')]
}

function validateExternal({ metric, target }: ExternalMetricSource, path: string): FieldError[] {
  const errors = [...validateIdentifier(metric, `${path}.metric`), ...validateTarget(target, `${path}.target`)]
  if (!target.value && !target.averageValue) {
    const detail = 'must set either a target value for metric or a per-pod target'
    errors.push(required(`${path}.target.averageValue`, detail))
  }
  if (target.value && target.averageValue) {
    const detail = 'may not set both a target value for metric and a per-pod target'
    errors.push(forbidden(`${path}.target.value`, detail))
  }
  return errors
}

function validatePods({ metric, target }: PodsMetricSource, path: string): FieldError[] {
  const errors = [...validateIdentifier(metric, `${path}.metric`), ...validateTarget(target, `${path}.target`)]
  if (target.averageValue) return errors
  return [...errors, required(`${path}.target.averageValue`, 'must specify a positive target averageValue')]
}

function validateContainerResource(source: ContainerResourceMetricSource, path: string): FieldError[] {
  const { container } = source
  const errors = container
    ? named(`${path}.container`, container, isDns1123Label(container))
    : [required(`${path}.container`, 'must specify a container')]
  return [...errors, ...validateResource(source, path)]
}

function validateResource({ name, target }: ResourceMetricSource, path: string): FieldError[] {
  const errors = name ? [] : [required(`${path}.name`, 'must specify a resource name')]
  errors.push(...validateTarget(target, `${path}.target`))
  const { averageUtilization, averageValue } = target
  if (averageUtilization === undefined && !averageValue) {
    const detail = 'must set either a target raw value or a target utilization'
    errors.push(required(`${path}.target.averageUtilization`, detail))
  }
  if (averageUtilization !== undefined && averageValue) {
    const detail = 'may not set both a target raw value and a target utilization'
    errors.push(forbidden(`${path}.target.averageValue`, detail))
  }
  return errors
}

const targetTypes = ['Utilization', 'Value', 'AverageValue']

function validateTarget(target: MetricTarget, path: string): FieldError[] {
  const { type, averageUtilization: share } = target
  const errors = type ? [] : [required(`${path}.type`, 'must specify a metric target type')]
  if (!targetTypes.includes(type)) {
    errors.push(invalid(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue'))
  }
  for (const field of ['value', 'averageValue'] as const) {
    const amount = target[field]
    if (amount === undefined || compareQuantities(amount, '0') > 0) continue
    errors.push(invalid(`${path}.${field}`, amount, 'must be positive'))
  }
  if (share === undefined || share >= 1) return errors
  return [...errors, invalid(`${path}.averageUtilization`, share, 'must be greater than 0')]
}

function validateIdentifier({ name }: MetricIdentifier, path: string): FieldError[] {
  if (!name) return [required(`${path}.name`, 'must specify a metric name')]
  return named(`${path}.name`, name, isPathSegmentName(name))
}
