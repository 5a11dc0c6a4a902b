/**
 * Environment variables: their names, and where a value may come from.
 */

import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isConfigMapKey, isDns1123Subdomain, isEnvVarName, isQualifiedName } from '@dinghy/shared/api/names'
import type { EnvFromSource, EnvVar, ObjectFieldSelector, ResourceFieldSelector } from '@dinghy/shared/api/types'
import { named, requiredText } from '../checks.ts'
import { nameIsDnsSubdomain } from '../object-meta.ts'

const atMostOne = 'may not have more than one field specified at a time'

export function validateEnv(env: EnvVar[] | undefined, path: string): FieldError[] {
  return (env ?? []).flatMap((variable, i) => {
    const at = `${path}[${i}]`
    const name = variable.name
      ? named(`${at}.name`, variable.name, isEnvVarName(variable.name))
      : [required(`${at}.name`)]
    return [...name, ...validateValueFrom(variable, `${at}.valueFrom`)]
  })
}

export function validateEnvFrom(sources: EnvFromSource[] | undefined, path: string): FieldError[] {
  return (sources ?? []).flatMap(({ prefix, configMapRef, secretRef }, i) => {
    const at = `${path}[${i}]`
    const errors = prefix ? named(`${at}.prefix`, prefix, isEnvVarName(prefix)) : []
    if (configMapRef) errors.push(...wholeObject(`${at}.configMapRef.name`, configMapRef.name))
    if (secretRef) errors.push(...wholeObject(`${at}.secretRef.name`, secretRef.name))
    // Upstream's path is that of the list.
    if (!configMapRef && !secretRef)
      errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'))
    if (configMapRef && secretRef) errors.push(invalid(path, '', atMostOne))
    return errors
  })
}

function wholeObject(path: string, name: string | undefined): FieldError[] {
  return name ? named(path, name, nameIsDnsSubdomain(name, true)) : [required(path)]
}

function validateValueFrom({ value, valueFrom }: EnvVar, path: string): FieldError[] {
  if (!valueFrom) return []
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom
  const errors: FieldError[] = []
  if (fieldRef) errors.push(...validateFieldRef(fieldRef, envFields, `${path}.fieldRef`))
  if (resourceFieldRef) errors.push(...validateResourceFieldRef(resourceFieldRef, `${path}.resourceFieldRef`))
  if (configMapKeyRef) errors.push(...keyOfObject(configMapKeyRef, `${path}.configMapKeyRef`))
  if (secretKeyRef) errors.push(...keyOfObject(secretKeyRef, `${path}.secretKeyRef`))
  const sources = Object.keys(valueFrom).length
  if (sources === 0) {
    const detail = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'
    errors.push(invalid(path, '', detail))
  } else if (value) errors.push(invalid(path, '', 'may not be specified when `value` is not empty'))
  else if (sources > 1) errors.push(invalid(path, '', atMostOne))
  return errors
}

const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

/** What a file of a downward API volume may show. */
export const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
]

/** Any path a pod has, so that "not here" can be told from "nowhere". `spec.host` is the oldest name of the node. */
const knownFields = new Set([
  ...envFields,
  ...volumeFields,
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
  'spec.host',
])

export function validateFieldRef(ref: ObjectFieldSelector, valid: string[], path: string): FieldError[] {
  const at = `${path}.fieldPath`
  if (!ref.apiVersion) return [required(`${path}.apiVersion`)]
  if (!ref.fieldPath) return [required(at)]
  const fault = (detail: string) => [invalid(at, ref.fieldPath, `error converting fieldPath: ${detail}`)]
  if (ref.apiVersion !== 'v1') return fault(`unsupported pod version: ${ref.apiVersion}`)
  const subscript = /^(.+?)\['(.*)'\]$/.exec(ref.fieldPath)
  if (subscript) {
    const [, field, key = ''] = subscript
    if (field === 'metadata.labels') return named(path, key, isQualifiedName(key))
    if (field === 'metadata.annotations') return named(path, key.toLowerCase(), isQualifiedName(key.toLowerCase()))
    return fault(`field label does not support subscript: ${ref.fieldPath}`)
  }
  if (!knownFields.has(ref.fieldPath)) return fault(`field label not supported: ${ref.fieldPath}`)
  const field = ref.fieldPath === 'spec.host' ? 'spec.nodeName' : ref.fieldPath
  return valid.includes(field) ? [] : [notSupported(at, ref.fieldPath, valid)]
}

const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]

const hugePages = /^(limits|requests)\.hugepages-/

/** `isOfVolume`: a file belongs to no container, so it has to say which one's resources it shows. */
export function validateResourceFieldRef(ref: ResourceFieldSelector, path: string, isOfVolume = false): FieldError[] {
  const errors: FieldError[] = []
  if (isOfVolume && !ref.containerName) errors.push(required(`${path}.containerName`))
  else if (!ref.resource) errors.push(required(`${path}.resource`))
  else if (!resourceFields.includes(ref.resource) && !hugePages.test(ref.resource)) {
    errors.push(notSupported(`${path}.resource`, ref.resource, resourceFields))
  }
  return [...errors, ...validateDivisor(ref, `${path}.divisor`)]
}

const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
const divisors: [pattern: RegExp, what: string, valid: string[], listed: string][] = [
  [/^(limits|requests)\.cpu$/, 'cpu', ['1m', '1'], '1m and 1'],
  [/^(limits|requests)\.memory$/, 'memory', byteDivisors, byteDivisors.join(', ')],
  [/^(limits|requests)\.ephemeral-storage$/, 'local ephemeral storage', byteDivisors, byteDivisors.join(', ')],
  [hugePages, 'hugepages', byteDivisors, byteDivisors.join(', ')],
]

/** Upstream shows the resource, not the divisor. */
function validateDivisor({ resource, divisor = '0' }: ResourceFieldSelector, path: string): FieldError[] {
  const found = divisors.find(([pattern]) => pattern.test(resource ?? ''))
  if (!found || divisor === '0') return []
  const [, what, valid, listed] = found
  if (valid.includes(divisor)) return []
  return [invalid(path, resource, `only divisor's values ${listed} are supported with the ${what} resource`)]
}

function keyOfObject({ name, key }: { name?: string; key?: string }, path: string): FieldError[] {
  const keyErrors = key ? named(`${path}.key`, key, isConfigMapKey(key)) : requiredText(`${path}.key`, key)
  return [...objectName(`${path}.name`, name), ...keyErrors]
}

function objectName(path: string, name: string | undefined): FieldError[] {
  return named(path, name ?? '', isDns1123Subdomain(name ?? ''))
}
