/**
 * Which names a CustomResourceDefinition gets, and what its conditions say of it: NamesAccepted, Established, and
 * KubernetesAPIApprovalPolicyConformant where the group is the community's. Pure. Within a group a name belongs to who
 * had it first. Follows apiextensions-apiserver's pkg/controller/{status,establish,apiapproval}.
 *
 * NonStructuralSchema is never there: apiextensions.k8s.io/v1 refuses what is not structural.
 */

import { X509Certificate } from 'node:crypto'
import { getCondition, isConditionTrue, setCondition } from '@dinghy/shared/api/conditions'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { CustomResourceDefinition } from '@dinghy/shared/api/types'
import type {
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from 'kubernetes-types/apiextensions/v1.js'
import { approvalCondition } from '../registry/kinds/protected-group.ts'

type Names = Partial<CustomResourceDefinitionNames>

/** The status as it should be; the same object if it is so already. */
export function statusFor(
  crd: CustomResourceDefinition,
  others: CustomResourceDefinition[],
  now: string,
): CustomResourceDefinitionStatus | undefined {
  const status = crd.status ?? {}
  const { names, condition } = acceptNames(crd, others)
  const established = establishedCondition(crd, condition)
  const approval = approvalCondition(crd)
  let conditions = status.conditions ?? []
  for (const one of [condition, established, ...(approval ? [approval] : [])]) {
    conditions = setCondition(conditions, one, now)
  }
  const next = { ...status, acceptedNames: names, conditions } as CustomResourceDefinitionStatus
  return sameJson(next, status) ? crd.status : next
}

function acceptNames(
  crd: CustomResourceDefinition,
  others: CustomResourceDefinition[],
): { names: Names; condition: CustomResourceDefinitionCondition } {
  const wanted: Names = crd.spec.names
  const had: Names = crd.status?.acceptedNames ?? {}
  const rivals = others.filter(
    ({ spec, metadata }) => spec.group === crd.spec.group && metadata.uid !== crd.metadata.uid,
  )
  const accepted = rivals.map(({ status }): Names => status?.acceptedNames ?? {})
  const resources = new Set(
    accepted.flatMap(({ plural, singular, shortNames = [] }) => [plural, singular, ...shortNames]),
  )
  const kinds = new Set(accepted.flatMap(({ kind, listKind }) => [kind, listKind]))
  const names: Names = { ...had }
  let conflict: { reason: string; message: string } | undefined
  const decide = (field: 'plural' | 'singular' | 'kind' | 'listKind', taken: Set<string | undefined>) => {
    const name = wanted[field]
    if (name !== had[field] && taken.has(name)) conflict = { reason: reasons[field], message: inUse(name) }
    else if (name !== undefined) names[field] = name
  }
  decide('plural', resources)
  decide('singular', resources)
  const clashes = (wanted.shortNames ?? []).filter((name) => !had.shortNames?.includes(name) && resources.has(name))
  if (clashes.length > 0) conflict = { reason: 'ShortNamesConflict', message: aggregate(clashes.map(inUse)) }
  else if (wanted.shortNames) names.shortNames = wanted.shortNames
  else delete names.shortNames
  decide('kind', kinds)
  decide('listKind', kinds)
  if (wanted.categories) names.categories = wanted.categories
  else delete names.categories
  const condition = conflict
    ? { type: 'NamesAccepted', status: 'False', ...conflict }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
  return { names, condition }
}

const reasons = {
  plural: 'PluralConflict',
  singular: 'SingularConflict',
  kind: 'KindConflict',
  listKind: 'ListKindConflict',
}

function inUse(name: string | undefined): string {
  return `${JSON.stringify(name)} is already in use`
}

function aggregate(messages: string[]): string {
  return messages.length === 1 ? (messages[0] ?? '') : `[${messages.join(', ')}]`
}

/** Once established, always established. */
function establishedCondition(
  crd: CustomResourceDefinition,
  names: CustomResourceDefinitionCondition,
): CustomResourceDefinitionCondition {
  const type = 'Established'
  const known = getCondition(crd.status?.conditions, type)
  if (known && isConditionTrue([known], type)) return known
  if (names.status !== 'True') {
    return known ?? { type, status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
  }
  if (!hasReadableBundle(crd)) {
    const message = 'The conversion webhook CABundle is invalid'
    return { type, status: 'False', reason: 'InvalidCABundle', message }
  }
  return { type, status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
}

function hasReadableBundle({ spec }: CustomResourceDefinition): boolean {
  const bundle = spec.conversion?.webhook?.clientConfig?.caBundle
  if (!bundle) return true
  const text = Buffer.from(bundle, 'base64').toString()
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? []
  return certificates.length > 0 && certificates.every(isCertificate)
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    // OpenSSL's words say nothing that the condition could tell.
    return false
  }
}
