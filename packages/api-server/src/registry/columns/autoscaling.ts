/**
 * The TARGETS cell of a HorizontalPodAutoscaler: "cpu: 12%/50%, 3/10 (avg)".
 */

import type { HorizontalPodAutoscaler } from '@dinghy/shared/api/types'
import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from 'kubernetes-types/autoscaling/v2.js'
import { canonicalQuantity } from '@dinghy/shared/api/quantity'

const metricsShown = 2

/** Handles autoscaling/v1, too, whose only metric is CPU. */
export function formatMetrics({ spec, status }: HorizontalPodAutoscaler): string {
  const old = { spec, status } as { spec?: OldSpec; status?: { currentCPUUtilizationPercentage?: number } }
  if (old.spec?.targetCPUUtilizationPercentage !== undefined) {
    const { currentCPUUtilizationPercentage: current } = old.status ?? {}
    return `cpu: ${percent(current) ?? '<unknown>'}/${percent(old.spec.targetCPUUtilizationPercentage)}`
  }
  const metrics = spec?.metrics ?? []
  if (metrics.length === 0) return '<none>'
  const cells = metrics.map((metric, i) => formatMetric(metric, status?.currentMetrics?.[i]))
  const shown = cells.slice(0, metricsShown).join(', ')
  return cells.length > metricsShown ? `${shown} + ${cells.length - metricsShown} more...` : shown
}

interface OldSpec {
  targetCPUUtilizationPercentage?: number
}

function formatMetric(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case 'External':
      return value(spec.external?.target, status?.external?.current)
    case 'Pods':
      return `${quantity(status?.pods?.current.averageValue)}/${quantity(spec.pods?.target.averageValue)}`
    case 'Object':
      return value(spec.object?.target, status?.object?.current)
    case 'Resource':
      return `${spec.resource?.name}: ${utilization(spec.resource?.target, status?.resource?.current)}`
    case 'ContainerResource':
      return `${spec.containerResource?.name}: ${utilization(spec.containerResource?.target, status?.containerResource?.current)}`
    default:
      return '<unknown type>'
  }
}

function value(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) {
    return `${quantity(current?.averageValue)}/${quantity(target.averageValue)} (avg)`
  }
  return `${quantity(current?.value)}/${quantity(target?.value)}`
}

function utilization(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${quantity(current?.averageValue)}/${quantity(target.averageValue)}`
  return `${percent(current?.averageUtilization) ?? '<unknown>'}/${percent(target?.averageUtilization) ?? '<auto>'}`
}

function quantity(amount: string | undefined): string {
  return amount === undefined ? '<unknown>' : canonicalQuantity(amount)
}

function percent(number: number | undefined): string | undefined {
  return number === undefined ? undefined : `${number}%`
}
