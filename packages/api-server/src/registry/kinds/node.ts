/**
 * Nodes: registered by their kubelets, tainted and cordoned by people and controllers.
 */

import { isDeepStrictEqual } from 'node:util'
import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isLabelValue, isQualifiedName } from '@dinghy/shared/api/names'
import type { Node, Taint } from '@dinghy/shared/api/types'
import type { NodeAddress, NodeSpec, NodeStatus } from 'kubernetes-types/core/v1.js'
import { named, oneOf } from './checks.ts'
import { notCidr, parseCidr } from './cidr.ts'
import type { KindRules } from './kind-rules.ts'
import { resourceAmount } from './pod-spec/resources.ts'
import { taintEffects } from './pod-spec/scheduling.ts'

export const nodes: KindRules<Node> = {
  strategy: {
    defaults({ spec, status }) {
      if (status?.capacity) status.allocatable ??= { ...status.capacity }
      alignPodCidrs(spec)
    },
    // Upstream's path of the taints.
    validate: ({ spec, status }) => [
      ...validateTaints(spec?.taints, 'metadata.taints'),
      ...validateResources(status),
      ...(spec?.podCIDRs ?? []).flatMap((range, i) =>
        parseCidr(range) ? [] : [invalid(`spec.podCIDRs[${i}]`, range, notCidr)],
      ),
    ],
    validateUpdate(next, previous) {
      const [now, before] = [next.spec, previous.spec]
      const errors: FieldError[] = []
      if (before.podCIDRs?.length && !isDeepStrictEqual(now.podCIDRs, before.podCIDRs)) {
        errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
      }
      if (before.providerID && now.providerID !== before.providerID) {
        errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'))
      }
      if ((now.externalID ?? '') === (before.externalID ?? '')) return errors
      return [...errors, forbidden('spec.externalID', 'may not be updated')]
    },
    validateStatusUpdate: ({ status }) => [...validateResources(status), ...uniqueAddresses(status.addresses)],
    warnings: ({ spec }) => [
      ...(spec?.configSource ? ['spec.configSource: the feature is removed'] : []),
      ...(spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
    ],
  },
  selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
}

/** The first of the several is the single one; a client of before there were several sends that one alone. */
function alignPodCidrs(spec: NodeSpec | undefined): void {
  if (!spec) return
  if (spec.podCIDR && spec.podCIDRs?.[0] !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR]
  else if (spec.podCIDRs?.[0]) spec.podCIDR = spec.podCIDRs[0]
}

/** Paths with a dot in place of the brackets. */
function validateResources(status: Partial<NodeStatus> | undefined): FieldError[] {
  const { capacity, allocatable } = status ?? {}
  return Object.entries({ capacity, allocatable }).flatMap(([field, amounts]) =>
    Object.entries(amounts ?? {}).flatMap(([resource, amount]) =>
      resourceAmount(resource, amount, `status.${field}.${resource}`),
    ),
  )
}

function uniqueAddresses(addresses: NodeAddress[] | undefined): FieldError[] {
  const seen: NodeAddress[] = []
  return (addresses ?? []).flatMap((address, i) => {
    const errors = seen.some((other) => isDeepStrictEqual(other, address))
      ? [duplicate(`status.addresses[${i}]`, address)]
      : []
    seen.push(address)
    return errors
  })
}

function validateTaints(taints: Taint[] | undefined, path: string): FieldError[] {
  const seen = new Set<string>()
  return (taints ?? []).flatMap((taint, i) => {
    const { key, value = '', effect } = taint
    const at = `${path}[${i}]`
    const errors = named(`${at}.key`, key, isQualifiedName(key ?? ''))
    const problems = isLabelValue(value)
    if (problems.length > 0) errors.push(invalid(`${at}.value`, value, problems.join(';')))
    errors.push(...(effect ? oneOf(`${at}.effect`, effect, taintEffects) : [required(`${at}.effect`)]))
    const pair = `${key}:${effect}`
    if (seen.has(pair)) {
      errors.push({ ...duplicate(at, taint), detail: 'taints must be unique by key and effect pair' })
    }
    seen.add(pair)
    return errors
  })
}
