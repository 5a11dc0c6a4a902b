/**
 * ConfigMaps and Secrets: keys and values, which some kinds of Secret give a meaning to.
 */

import { isDeepStrictEqual } from 'node:util'
import { forbidden, invalid, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isConfigMapKey } from '@dinghy/shared/api/names'
import type { ConfigMap, Secret } from '@dinghy/shared/api/types'
import { named, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

/** Of all values together; etcd keeps objects small. */
const maxSize = 1024 * 1024

const frozenMessage = 'field is immutable when `immutable` is set'

export const configMaps: KindRules<ConfigMap> = {
  strategy: {
    validate({ data = {}, binaryData = {} }) {
      const errors = [...validKeys(data, 'data'), ...validKeys(binaryData, 'binaryData')]
      for (const key of Object.keys(data)) {
        if (Object.hasOwn(binaryData, key))
          errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
      }
      const size = textSize(data) + base64Size(binaryData)
      return size > maxSize ? [...errors, tooLong('', maxSize)] : errors
    },
    validateUpdate: (next, previous) => frozen(next, previous, ['data', 'binaryData']),
  },
}

export const secrets: KindRules<Secret> = {
  strategy: {
    defaults(secret) {
      secret.type ||= 'Opaque'
      if (!secret.stringData) return
      const encoded = Object.entries(secret.stringData).map(([key, text]) => [
        key,
        Buffer.from(text).toString('base64'),
      ])
      secret.data = { ...secret.data, ...(Object.fromEntries(encoded) as Record<string, string>) }
      delete secret.stringData // write-only: nobody ever reads it back
    },
    validate(secret) {
      const { data = {} } = secret
      const errors = validKeys(data, 'data')
      if (base64Size(data) > maxSize) errors.push(tooLong('data', maxSize))
      return [...errors, ...validateType(secret)]
    },
    validateUpdate: (next, previous) => [
      ...unchanged('type', next.type, previous.type),
      ...frozen(next, previous, ['data']),
    ],
  },
  selectableFields: { type: ({ type }) => type },
}

function validKeys(data: Record<string, string>, path: string): FieldError[] {
  return Object.keys(data).flatMap((key) => named(`${path}[${key}]`, key, isConfigMapKey(key)))
}

function frozen<T extends { immutable?: boolean }>(next: T, previous: T, fields: (keyof T & string)[]): FieldError[] {
  if (!previous.immutable) return []
  const errors = next.immutable ? [] : [forbidden('immutable', frozenMessage)]
  return [
    ...errors,
    ...fields
      .filter((field) => !isDeepStrictEqual(next[field], previous[field]))
      .map((field) => forbidden(field, frozenMessage)),
  ]
}

/** What each well-known type must hold; any other type may hold anything. */
function validateType({ type, data = {}, metadata }: Secret): FieldError[] {
  const has = (key: string) => Object.hasOwn(data, key)
  const needs = (...keys: string[]) => keys.filter((key) => !has(key)).map((key) => required(`data[${key}]`))
  switch (type) {
    case 'kubernetes.io/service-account-token': {
      const annotation = 'kubernetes.io/service-account.name'
      return metadata.annotations?.[annotation] ? [] : [required(`metadata.annotations[${annotation}]`)]
    }
    case 'kubernetes.io/dockercfg':
      return has('.dockercfg') ? json(data, '.dockercfg') : needs('.dockercfg')
    case 'kubernetes.io/dockerconfigjson':
      return has('.dockerconfigjson') ? json(data, '.dockerconfigjson') : needs('.dockerconfigjson')
    case 'kubernetes.io/basic-auth':
      return has('username') || has('password') ? [] : needs('username', 'password')
    case 'kubernetes.io/ssh-auth':
      return data['ssh-privatekey'] ? [] : [required('data[ssh-privatekey]')]
    case 'kubernetes.io/tls':
      return needs('tls.crt', 'tls.key')
    default:
      return []
  }
}

function json(data: Record<string, string>, key: string): FieldError[] {
  try {
    JSON.parse(Buffer.from(data[key] ?? '', 'base64').toString())
    return []
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return [invalid(`data[${key}]`, '<secret contents redacted>', message)]
  }
}

function textSize(data: Record<string, string>): number {
  return Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value), 0)
}

function base64Size(data: Record<string, string>): number {
  return Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0)
}
