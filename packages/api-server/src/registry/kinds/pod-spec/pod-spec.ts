/**
 * The rules of a pod spec, for pods and for every template that pods are made from.
 *
 * Follows ValidatePodSpec and ValidatePodTemplateSpec of pkg/apis/core/validation. Left out are rules of features
 * nobody meets here: Windows pods, dynamic resources, rarely used volume sources.
 */

import { duplicate, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain, isIpAddress, isQualifiedName } from '@dinghy/shared/api/names'
import type { PodSpec, PodTemplateSpec } from '@dinghy/shared/api/types'
import { between, labels, named, oneOf, requiredOneOf, requiredText } from '../checks.ts'
import { validateAnnotations } from '../object-meta.ts'
import { validateContainers } from './containers.ts'
import { validateAffinity, validateSpread, validateTolerations } from './scheduling.ts'
import { validatePodSecurity } from './security.ts'
import { validateVolumes } from './volumes.ts'

const maxInt32 = 2147483647

/** `path` is "spec.template". */
export function validatePodTemplate(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  if (!template) return [required(path)]
  const errors = [
    ...labels(`${path}.labels`, template.metadata?.labels),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...validatePodSpec(template.spec ?? { containers: [] }, `${path}.spec`),
  ]
  if (template.spec?.ephemeralContainers?.length) {
    const detail = 'ephemeral containers not allowed in pod template'
    errors.push(invalid(`${path}.spec.ephemeralContainers`, template.spec.ephemeralContainers, detail))
  }
  return errors
}

export function validatePodSpec(spec: PodSpec, path: string): FieldError[] {
  const at = (field: string) => `${path}.${field}`
  const errors = [
    ...validateVolumes(spec.volumes, at('volumes')),
    ...validateContainers(spec, path),
    ...requiredOneOf(at('restartPolicy'), spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
    ...requiredOneOf(at('dnsPolicy'), spec.dnsPolicy, dnsPolicies),
    ...labels(at('nodeSelector'), spec.nodeSelector),
    ...validatePodSecurity(spec, path),
    ...validateAffinity(spec.affinity, at('affinity')),
    ...validateDns(spec, at('dnsConfig')),
    ...validateSpread(spec.topologySpreadConstraints, at('topologySpreadConstraints')),
    ...validateTolerations(spec.tolerations, at('tolerations')),
    ...between(at('activeDeadlineSeconds'), spec.activeDeadlineSeconds, 1, maxInt32),
    ...oneOf(at('preemptionPolicy'), spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']),
    ...oneOf(at('os.name'), spec.os?.name, ['linux', 'windows']),
  ]
  for (const field of ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const) {
    const name = spec[field]
    if (name) errors.push(...named(at(field), name, isDns1123Subdomain(name)))
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const name = spec[field]
    if (name) errors.push(...named(at(field), name, isDns1123Label(name)))
  }
  for (const [i, gate] of (spec.readinessGates ?? []).entries()) {
    const type = gate.conditionType ?? ''
    errors.push(...named(at(`readinessGates[${i}].conditionType`), type, isQualifiedName(type)))
  }
  const gates = new Set<string>()
  for (const [i, gate] of (spec.schedulingGates ?? []).entries()) {
    errors.push(...named(at(`schedulingGates[${i}]`), gate.name, isQualifiedName(gate.name)))
    if (gates.has(gate.name)) errors.push(duplicate(at(`schedulingGates[${i}]`), gate.name))
    gates.add(gate.name)
  }
  for (const [i, { ip, hostnames = [] }] of (spec.hostAliases ?? []).entries()) {
    errors.push(...named(at(`hostAliases[${i}].ip`), ip ?? '', isIpAddress(ip ?? '')))
    for (const name of hostnames)
      errors.push(...named(at(`hostAliases[${i}].hostnames`), name, isDns1123Subdomain(name)))
  }
  return errors
}

const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const maxNameservers = 3
const maxSearches = 32

function validateDns({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldError[] {
  if (!dnsConfig) {
    return dnsPolicy === 'None' ? [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')] : []
  }
  const { nameservers = [], searches = [], options = [] } = dnsConfig
  const errors = nameservers.flatMap((server, i) => named(`${path}.nameservers[${i}]`, server, isIpAddress(server)))
  if (nameservers.length === 0 && dnsPolicy === 'None') {
    errors.push(required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'))
  }
  if (nameservers.length > maxNameservers) {
    errors.push(invalid(`${path}.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`))
  }
  if (searches.length > maxSearches) {
    errors.push(invalid(`${path}.searches`, searches, `must not have more than ${maxSearches} search paths`))
  }
  const emptyOptions = options.flatMap(({ name }, i) =>
    requiredText(`${path}.options[${i}]`, name, 'must not be empty'),
  )
  return [...errors, ...emptyOptions]
}
