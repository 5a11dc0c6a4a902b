/**
 * What a whole pod asks for, as quantities by the name of the resource: its containers together, or its hungriest init
 * container if that is more. Pure; what quotas and limit ranges count. Follows pkg/quota/v1/evaluator/core/pods.go.
 */

import { addQuantities, compareQuantities } from './quantity.ts'
import type { Pod } from './types.ts'

type Quantities = Record<string, string>

export function podRequirements({ spec }: Pod): { requests: Quantities; limits: Quantities } {
  return { requests: total(spec, 'requests'), limits: total(spec, 'limits') }
}

function total(spec: Pod['spec'], kind: 'requests' | 'limits'): Quantities {
  const total: Quantities = {}
  for (const { resources } of spec.containers) {
    for (const [name, value] of Object.entries(resources?.[kind] ?? {})) {
      total[name] = total[name] === undefined ? value : addQuantities(total[name], value)
    }
  }
  for (const { resources } of spec.initContainers ?? []) {
    for (const [name, value] of Object.entries(resources?.[kind] ?? {})) {
      if (total[name] === undefined || compareQuantities(value, total[name]) > 0) total[name] = value
    }
  }
  return total
}
