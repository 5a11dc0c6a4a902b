/**
 * ResourceQuota: refuses what would take a namespace over one of its quotas.
 *
 * Upstream charges `status.used` of the quota and repairs it later. Here usage is counted from the objects that are
 * stored, plus what writes in flight are about to add: it cannot drift, and needs no controller to be right. Showing it
 * in `status.used` is the work of the quota controller, which counts by the same rules.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { forbidden } from '@dinghy/shared/api/errors'
import { addQuantities, canonicalQuantity, compareQuantities, subtractQuantities } from '@dinghy/shared/api/quantity'
import { isInScope, usageOf, type Quantities } from '@dinghy/shared/api/quota-usage'
import { ResourceQuotas } from '@dinghy/shared/api/resources'
import type { Container, KubernetesObject, Pod, ResourceQuota } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'

interface InFlight {
  namespace: string
  quota: string
  delta: Quantities
}

export function resourceQuota(reader: Reader): AdmissionPlugin {
  const inFlight = new Set<InFlight>()
  return {
    name: 'ResourceQuota',
    validate({ operation, definition, subresource, namespace, object, previous, context }) {
      const counts =
        (operation === 'CREATE' && subresource === undefined) ||
        (operation === 'UPDATE' && (subresource === undefined || subresource === 'resize'))
      if (!counts || namespace === undefined || !object) return undefined
      const charges: InFlight[] = []
      for (const quota of reader.list(ResourceQuotas, namespace)) {
        if (!isInScope(quota, definition.plural, object)) continue
        const delta = limitedBy(
          quota,
          difference(usageOf(definition, object), previous ? usageOf(definition, previous) : {}),
        )
        const refuse = (message: string) =>
          forbidden(definition.group, definition.plural, object.metadata.name, message)
        const unspecified = operation === 'CREATE' ? unspecifiedResources(quota, definition, object) : ''
        if (unspecified) throw refuse(`failed quota: ${quota.metadata.name}: must specify ${unspecified}`)
        if (Object.keys(delta).length === 0) continue
        const used = usedOf(reader, quota, definition, Object.keys(delta), inFlight)
        const exceeded = exceededBy(quota, used, delta)
        if (exceeded) throw refuse(`exceeded quota: ${quota.metadata.name}, ${exceeded}`)
        charges.push({ namespace, quota: quota.metadata.name, delta })
      }
      if (context.dryRun) return undefined
      for (const charge of charges) inFlight.add(charge)
      return () => charges.forEach((charge) => inFlight.delete(charge))
    },
  }
}

/** What more is used; what gets less is always allowed. */
function difference(next: Quantities, before: Quantities): Quantities {
  const delta: Quantities = {}
  for (const [name, value] of Object.entries(next)) {
    const more = before[name] === undefined ? value : subtractQuantities(value, before[name])
    if (compareQuantities(more, 0) > 0) delta[name] = more
  }
  return delta
}

function limitedBy({ spec }: ResourceQuota, delta: Quantities): Quantities {
  return Object.fromEntries(Object.entries(delta).filter(([name]) => ownValue(spec.hard, name) !== undefined))
}

/** What is used of these names: by the stored objects of the kind, and by writes that are not over yet. */
function usedOf(
  reader: Reader,
  quota: ResourceQuota,
  definition: ResourceDefinition,
  names: string[],
  inFlight: Set<InFlight>,
): Quantities {
  const { namespace } = quota.metadata
  const others = reader
    .listAt(definition.storage, namespace)
    .filter((object) => isInScope(quota, definition.plural, object))
    .map((object) => usageOf(definition, object))
  const flying = [...inFlight]
    .filter((charge) => charge.namespace === namespace && charge.quota === quota.metadata.name)
    .map(({ delta }) => delta)
  const used: Quantities = Object.fromEntries(names.map((name) => [name, '0']))
  for (const usage of [...others, ...flying]) {
    for (const name of names) if (usage[name] !== undefined) used[name] = addQuantities(used[name] ?? '0', usage[name])
  }
  return used
}

/** "requested: pods=1, used: pods=2, limited: pods=2" of what does not fit; undefined if all fits. */
function exceededBy({ spec }: ResourceQuota, used: Quantities, delta: Quantities): string | undefined {
  const hard = spec.hard ?? {}
  const exceeds = ([name, more]: [string, string]) =>
    hard[name] !== undefined && compareQuantities(addQuantities(used[name] ?? '0', more), hard[name]) > 0
  const over = Object.entries(delta)
    .filter(exceeds)
    .map(([name]) => name)
    .sort()
  if (over.length === 0) return undefined
  const show = (quantities: Quantities) =>
    over.map((name) => `${name}=${canonicalQuantity(quantities[name] ?? '0')}`).join(',')
  return `requested: ${show(delta)}, used: ${show(used)}, limited: ${show(hard)}`
}

const compute = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']

/** "limits.cpu for: a,b; memory for: a": where cpu or memory is limited, every container must say what it takes. */
function unspecifiedResources(
  quota: ResourceQuota,
  { group, plural }: ResourceDefinition,
  object: KubernetesObject,
): string {
  if (group !== '' || plural !== 'pods') return ''
  const { spec } = object as Pod
  const containers = [...spec.containers, ...(spec.initContainers ?? [])]
  return compute
    .filter((name) => ownValue(quota.spec.hard, name) !== undefined)
    .map((name) => ({
      name,
      missing: containers.filter((container) => !specifies(container, name)).map((one) => one.name),
    }))
    .filter(({ missing }) => missing.length > 0)
    .map(({ name, missing }) => `${name} for: ${missing.sort().join(',')}`)
    .sort()
    .join('; ')
}

function specifies({ resources }: Container, name: string): boolean {
  const [kind, resource = name] = name.split('.')
  return (kind === 'limits' ? resources?.limits : resources?.requests)?.[resource] !== undefined
}
