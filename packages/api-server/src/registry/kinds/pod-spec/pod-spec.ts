/**
 * The rules of a pod spec, for pods and for every template that pods are made from. Follows ValidatePodSpec and
 * ValidatePodTemplateSpec of pkg/apis/core/validation; left out are the names that Windows allows.
 */

import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import {
  isDns1123Label,
  isDns1123Subdomain,
  isDns1123SubdomainWithUnderscore,
  isIpAddress,
  isQualifiedName,
} from '@dinghy/shared/api/names'
import type { PodSpec, PodTemplateSpec } from '@dinghy/shared/api/types'
import { between, labels, named, oneOf, requiredOneOf, requiredText } from '../checks.ts'
import { validateAnnotations } from '../object-meta.ts'
import { validatePodAnnotations, validateProfileAnnotations } from './annotations.ts'
import { validateContainers, validateHostNetworkPorts, validateImages } from './containers.ts'
import { validateResources } from './resources.ts'
import { validateAffinity, validateSpread, validateTolerations } from './scheduling.ts'
import { validateHostUsers, validateOs, validatePodSecurity } from './security.ts'
import { validateTokensHaveAccount, validateVolumes } from './volumes.ts'

const maxInt32 = 2147483647

/** `path` is "spec.template". */
export function validatePodTemplate(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  if (!template) return [required(path)]
  const { metadata = {}, spec = { containers: [] } } = template
  const errors = [
    ...labels(`${path}.labels`, metadata.labels),
    ...validateAnnotations(metadata.annotations, `${path}.annotations`),
    ...validatePodAnnotations(metadata.annotations, spec, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`),
    ...validateProfileAnnotations(metadata.annotations, spec, `${path}.spec`),
  ]
  if (spec.ephemeralContainers?.length) {
    errors.push(forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'))
  }
  return errors
}

/** Of a pod itself, which is called `name`. */
export function validateSpecOfPod(spec: PodSpec, name: string): FieldError[] {
  return [
    ...validatePodSpec(spec, 'spec', name),
    ...validateTokensHaveAccount(spec, 'spec'),
    ...validateImages(spec, 'spec'),
  ]
}

/** `podName` is given for a pod and not for a template. */
function validatePodSpec(spec: PodSpec, path: string, podName?: string): FieldError[] {
  const at = (field: string) => `${path}.${field}`
  const volumes = validateVolumes(spec.volumes, podName, at('volumes'))
  return [
    ...volumes.errors,
    ...validateContainers(spec, volumes.sound, path),
    ...validateHostNetworkPorts(spec, podName !== undefined, path),
    ...requiredOneOf(at('restartPolicy'), spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
    ...requiredOneOf(at('dnsPolicy'), spec.dnsPolicy, dnsPolicies),
    ...labels(at('nodeSelector'), spec.nodeSelector),
    ...validatePodSecurity(spec, path),
    ...validateAffinity(spec.affinity, at('affinity')),
    ...validateDns(spec, at('dnsConfig')),
    ...validateGates(spec, path),
    ...validateSpread(spec.topologySpreadConstraints, at('topologySpreadConstraints')),
    ...validateHostUsers(spec, path),
    ...objectName(at('serviceAccountName'), spec.serviceAccountName),
    ...objectName(at('nodeName'), spec.nodeName),
    ...between(at('activeDeadlineSeconds'), spec.activeDeadlineSeconds, 1, maxInt32),
    ...(spec.hostname ? named(at('hostname'), spec.hostname, isDns1123Label(spec.hostname)) : []),
    ...(spec.subdomain ? named(at('subdomain'), spec.subdomain, isDns1123Label(spec.subdomain)) : []),
    ...validateTolerations(spec.tolerations, at('tolerations')),
    ...validateHostAliases(spec, at('hostAliases')),
    ...objectName(at('priorityClassName'), spec.priorityClassName),
    // Unlike the others, this one may not be empty.
    ...(spec.runtimeClassName === undefined
      ? []
      : named(at('runtimeClassName'), spec.runtimeClassName, isDns1123Subdomain(spec.runtimeClassName))),
    ...oneOf(at('preemptionPolicy'), spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']),
    ...(spec.overhead ? validateResources({ limits: spec.overhead }, at('overhead')) : []),
    ...validateOs(spec, path),
  ]
}

function objectName(path: string, name: string | undefined): FieldError[] {
  return name ? named(path, name, isDns1123Subdomain(name)) : []
}

/** What a pod waits for: before it is scheduled, and before it counts as ready. */
function validateGates({ readinessGates = [], schedulingGates = [] }: PodSpec, path: string): FieldError[] {
  const errors = readinessGates.flatMap(({ conditionType }, i) =>
    named(`${path}.readinessGates[${i}].conditionType`, conditionType ?? '', isQualifiedName(conditionType ?? '')),
  )
  const seen = new Set<string>()
  for (const [i, { name }] of schedulingGates.entries()) {
    const at = `${path}.schedulingGates[${i}]`
    errors.push(...named(at, name, isQualifiedName(name ?? '')))
    if (seen.has(name)) errors.push(duplicate(at, name))
    seen.add(name)
  }
  return errors
}

function validateHostAliases({ hostAliases = [] }: PodSpec, path: string): FieldError[] {
  return hostAliases.flatMap(({ ip = '', hostnames = [] }, i) => [
    ...named(`${path}[${i}].ip`, ip, isIpAddress(ip)),
    ...hostnames.flatMap((name, j) => named(`${path}[${i}].hostnames[${j}]`, name, isDns1123Subdomain(name))),
  ])
}

const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const maxNameservers = 3
const maxSearches = 32
const maxSearchCharacters = 2048

function validateDns({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldError[] {
  const isOwn = dnsPolicy === 'None'
  if (!dnsConfig) return isOwn ? [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')] : []
  const { nameservers = [], searches = [], options = [] } = dnsConfig
  if (nameservers.length === 0 && isOwn) {
    return [required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')]
  }
  const errors: FieldError[] = []
  if (nameservers.length > maxNameservers) {
    errors.push(invalid(`${path}.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`))
  }
  errors.push(...nameservers.flatMap((server, i) => named(`${path}.nameservers[${i}]`, server, isIpAddress(server))))
  const at = `${path}.searches`
  if (searches.length > maxSearches) {
    errors.push(invalid(at, searches, `must not have more than ${maxSearches} search paths`))
  }
  if (Buffer.byteLength(searches.join(' ')) > maxSearchCharacters) {
    const detail = `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`
    errors.push(invalid(at, searches, detail))
  }
  for (const [i, search] of searches.entries()) {
    const name = search.replace(/\.$/, '')
    if (search !== '.') errors.push(...named(`${at}[${i}]`, name, isDns1123SubdomainWithUnderscore(name)))
  }
  const emptyOptions = options.flatMap(({ name }, i) =>
    requiredText(`${path}.options[${i}]`, name, 'must not be empty'),
  )
  return [...errors, ...emptyOptions]
}
