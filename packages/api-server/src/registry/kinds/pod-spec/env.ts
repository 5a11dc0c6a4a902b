/**
 * Environment variables: their names, and where a value may come from.
 */

import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isConfigMapKey, isDns1123Subdomain, isEnvVarName, isQualifiedName } from '@dinghy/shared/api/names'
import type { EnvFromSource, EnvVar, ObjectFieldSelector, ResourceFieldSelector } from '@dinghy/shared/api/types'
import { named, requiredText } from '../checks.ts'

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
    if (configMapRef) errors.push(...objectName(`${at}.configMapRef.name`, configMapRef.name))
    if (secretRef) errors.push(...objectName(`${at}.secretRef.name`, secretRef.name))
    if (!configMapRef && !secretRef) errors.push(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'))
    if (configMapRef && secretRef) errors.push(invalid(at, '', atMostOne))
    return errors
  })
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

/** Any path a pod has, so that "not here" can be told from "nowhere". */
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
  if (!ref.fieldPath) return [required(at)]
  const subscript = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/.exec(ref.fieldPath)
  if (subscript) {
    const key = subscript[2] ?? ''
    return named(at, key, isQualifiedName(subscript[1] === 'metadata.annotations' ? key.toLowerCase() : key))
  }
  if (!knownFields.has(ref.fieldPath)) {
    const detail = `error converting fieldPath: field label not supported: ${ref.fieldPath}`
    return [invalid(at, ref.fieldPath, detail)]
  }
  return valid.includes(ref.fieldPath) ? [] : [notSupported(at, ref.fieldPath, valid)]
}

const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]

export function validateResourceFieldRef(ref: ResourceFieldSelector, path: string): FieldError[] {
  if (!ref.resource) return [required(`${path}.resource`)]
  if (resourceFields.includes(ref.resource) || /^(limits|requests)\.hugepages-/.test(ref.resource)) return []
  return [notSupported(`${path}.resource`, ref.resource, resourceFields)]
}

function keyOfObject({ name, key }: { name?: string; key?: string }, path: string): FieldError[] {
  const keyErrors = key ? named(`${path}.key`, key, isConfigMapKey(key)) : requiredText(`${path}.key`, key)
  return [...objectName(`${path}.name`, name), ...keyErrors]
}

function objectName(path: string, name: string | undefined): FieldError[] {
  return named(path, name ?? '', isDns1123Subdomain(name ?? ''))
}
