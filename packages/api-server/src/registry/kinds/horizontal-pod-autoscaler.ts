/**
 * HorizontalPodAutoscalers. autoscaling/v1 knows one metric, CPU; v2 knows many. Stored as v2; in v1, what it has no
 * field for travels in an annotation, so that a v1 client can write back what it has read.
 */

import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { HorizontalPodAutoscaler, KubernetesObject } from '@dinghy/shared/api/types'
import type {
  HorizontalPodAutoscalerSpec,
  HPAScalingPolicy,
  HPAScalingRules,
  MetricSpec,
} from 'kubernetes-types/autoscaling/v2.js'
import { nonNegative, oneOf, positive, without } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { validateMetric, validateReference } from './metric-spec.ts'

export const horizontalPodAutoscalers: KindRules<HorizontalPodAutoscaler> = {
  strategy: {
    defaults({ apiVersion, spec }) {
      if (!spec) return
      spec.minReplicas ??= 1
      if (apiVersion !== 'autoscaling/v2') return
      if (!spec.metrics?.length) spec.metrics = [cpuMetric(80)]
      if (spec.behavior) defaultBehavior(spec.behavior)
    },
    validate: ({ spec }) => validateSpec(spec),
    validateStatusUpdate: ({ status }) => [
      ...nonNegative('status.currentReplicas', status?.currentReplicas),
      ...nonNegative('status.desiredReplicas', status?.desiredReplicas),
    ],
  },
  storage: {
    group: 'autoscaling',
    plural: 'horizontalpodautoscalers',
    version: 'v2',
    convert: convertAutoscaler,
  },
}

function cpuMetric(averageUtilization: number): MetricSpec {
  return { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } }
}

/** Up as fast as it takes, down as slowly as upstream thinks wise. */
function defaultBehavior(behavior: NonNullable<HorizontalPodAutoscalerSpec['behavior']>): void {
  // The gate of a tolerance of one's own is closed in 1.33.
  for (const rules of [behavior.scaleUp, behavior.scaleDown])
    delete (rules as { tolerance?: string } | undefined)?.tolerance
  behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    ...behavior.scaleUp,
  }
  behavior.scaleDown = {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...behavior.scaleDown,
  }
}

function validateSpec(spec: Partial<HorizontalPodAutoscalerSpec>): FieldError[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef, metrics = [], behavior } = spec
  const errors: FieldError[] = []
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.push(invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'))
  }
  errors.push(...positive('spec.maxReplicas', maxReplicas))
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'))
  }
  if (scaleTargetRef) errors.push(...validateReference(scaleTargetRef, 'spec.scaleTargetRef'))
  for (const [i, metric] of metrics.entries()) errors.push(...validateMetric(metric, `spec.metrics[${i}]`))
  errors.push(...validateRules(behavior?.scaleUp, 'spec.behavior.scaleUp'))
  return [...errors, ...validateRules(behavior?.scaleDown, 'spec.behavior.scaleDown')]
}

const maxWindowSeconds = 3600
const maxPeriodSeconds = 1800

function validateRules(rules: HPAScalingRules | undefined, path: string): FieldError[] {
  if (!rules) return []
  const { stabilizationWindowSeconds: window = 0, policies = [] } = rules
  const at = `${path}.stabilizationWindowSeconds`
  const errors = window < 0 ? [invalid(at, window, 'must be greater than or equal to zero')] : []
  if (window > maxWindowSeconds) errors.push(invalid(at, window, `must be less than or equal to ${maxWindowSeconds}`))
  errors.push(...oneOf(`${path}.selectPolicy`, rules.selectPolicy, ['Disabled', 'Max', 'Min']))
  if (policies.length === 0) errors.push(required(`${path}.policies`, 'must specify at least one Policy'))
  return [...errors, ...policies.flatMap((policy, i) => validatePolicy(policy, `${path}.policies[${i}]`))]
}

function validatePolicy({ type, value, periodSeconds }: HPAScalingPolicy, path: string): FieldError[] {
  const types = ['Percent', 'Pods']
  const errors = types.includes(type) ? [] : [notSupported(`${path}.type`, type, types)]
  for (const [field, amount] of Object.entries({ value, periodSeconds })) {
    if (amount <= 0) errors.push(invalid(`${path}.${field}`, amount, 'must be greater than zero'))
  }
  if (periodSeconds <= maxPeriodSeconds) return errors
  const detail = `must be less than or equal to ${maxPeriodSeconds}`
  return [...errors, invalid(`${path}.periodSeconds`, periodSeconds, detail)]
}

// ---- conversion

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics'
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior'

type OldSpec = Omit<HorizontalPodAutoscalerSpec, 'metrics' | 'behavior'> & { targetCPUUtilizationPercentage?: number }
interface OldAutoscaler extends KubernetesObject {
  spec: OldSpec
  status: { currentCPUUtilizationPercentage?: number }
}

export function convertAutoscaler(object: KubernetesObject, apiVersion: string): KubernetesObject {
  if (object.apiVersion === apiVersion) return object
  return apiVersion === 'autoscaling/v1' ? toV1(object as HorizontalPodAutoscaler) : toV2(object as OldAutoscaler)
}

function toV1({ spec, status, metadata, ...rest }: HorizontalPodAutoscaler): KubernetesObject {
  const { metrics = [], behavior, ...common } = spec ?? {}
  const cpu = metrics.find(isCpuUtilization)
  const others = metrics.filter((metric) => metric !== cpu)
  const annotations = {
    ...metadata.annotations,
    ...(others.length > 0 ? { [metricsAnnotation]: JSON.stringify(others) } : {}),
    ...(behavior ? { [behaviorAnnotation]: JSON.stringify(behavior) } : {}),
  }
  const target = cpu?.resource?.target.averageUtilization
  const counts = without(status ?? {}, 'currentMetrics', 'conditions')
  const current = status?.currentMetrics?.find(({ resource }) => resource?.name === 'cpu')?.resource?.current
    .averageUtilization
  return {
    ...rest,
    apiVersion: 'autoscaling/v1',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: { ...common, ...(target !== undefined ? { targetCPUUtilizationPercentage: target } : {}) },
    status: {
      currentReplicas: 0,
      ...counts,
      ...(current !== undefined ? { currentCPUUtilizationPercentage: current } : {}),
    },
  } as KubernetesObject
}

function toV2({ spec, metadata, ...rest }: OldAutoscaler): KubernetesObject {
  const { targetCPUUtilizationPercentage: target, ...common } = spec ?? {}
  const { [metricsAnnotation]: metricsText, [behaviorAnnotation]: behaviorText, ...others } = metadata.annotations ?? {}
  const metrics = [...(target === undefined ? [] : [cpuMetric(target)]), ...parseList(metricsText)]
  const behavior = parse(behaviorText)
  const meta = without(metadata, 'annotations')
  return {
    ...rest,
    apiVersion: 'autoscaling/v2',
    metadata: { ...meta, ...(Object.keys(others).length > 0 ? { annotations: others } : {}) },
    spec: {
      ...common,
      metrics: metrics.length > 0 ? metrics : [cpuMetric(80)],
      ...(behavior !== undefined ? { behavior } : {}),
    },
  } as KubernetesObject
}

function isCpuUtilization({ type, resource }: MetricSpec): boolean {
  return type === 'Resource' && resource?.name === 'cpu' && resource.target.averageUtilization !== undefined
}

/** People can write anything into an annotation; what is no JSON is no metric. */
function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function parseList(text: string | undefined): MetricSpec[] {
  const value = parse(text)
  return Array.isArray(value) ? (value as MetricSpec[]) : []
}
