/**
 * Nodes: registered by their kubelets, tainted and cordoned by people and controllers.
 */

import { forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isLabelValue, isQualifiedName } from '@dinghy/shared/api/names'
import type { Node, Taint } from '@dinghy/shared/api/types'
import { named, oneOf } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { taintEffects } from './pod-spec/scheduling.ts'

export const nodes: KindRules<Node> = {
  strategy: {
    defaults({ status }) {
      if (status?.capacity) status.allocatable ??= { ...status.capacity }
    },
    validate: ({ spec }) => validateTaints(spec?.taints, 'spec.taints'),
    validateUpdate(next, previous) {
      const [now, before] = [next.spec, previous.spec]
      const errors: FieldError[] = []
      if (before.podCIDR && now.podCIDR !== before.podCIDR) {
        errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
      }
      if (before.providerID && now.providerID !== before.providerID) {
        errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'))
      }
      return errors
    },
  },
  selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
}

function validateTaints(taints: Taint[] | undefined, path: string): FieldError[] {
  const seen = new Set<string>()
  return (taints ?? []).flatMap(({ key, value = '', effect }, i) => {
    const at = `${path}[${i}]`
    const errors = named(`${at}.key`, key, isQualifiedName(key ?? ''))
    errors.push(...named(`${at}.value`, value, isLabelValue(value)))
    errors.push(...(effect ? oneOf(`${at}.effect`, effect, taintEffects) : [required(`${at}.effect`)]))
    const pair = `${key}:${effect}`
    if (seen.has(pair)) {
      errors.push(invalid(at, { key, value, effect }, 'taints must be unique by key and effect pair'))
    }
    seen.add(pair)
    return errors
  })
}
