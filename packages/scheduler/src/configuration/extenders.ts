/**
 * The extenders of a configuration: programs that are asked over HTTP about nodes; see ../extender.ts.
 */

import { parseDuration } from '@dinghy/shared/api/duration'
import { flag, integer, list, object, refuse, text } from './fields.ts'

export interface ExtenderConfiguration {
  urlPrefix: string
  filterVerb: string
  prioritizeVerb: string
  bindVerb: string
  weight: number
  timeoutMs: number
  nodeCacheCapable: boolean
  ignorable: boolean
  managedResources: { name: string; ignoredByScheduler: boolean }[]
  tls: ExtenderTls | undefined
}

export interface ExtenderTls {
  insecure: boolean
  serverName?: string
  /** Files, or what stands in them. */
  ca?: PemSource
  cert?: PemSource
  key?: PemSource
}

export type PemSource = { file: string } | { pem: string }

export function readExtender(value: unknown, path: string): ExtenderConfiguration {
  const fields = object(value, path, {
    known: [
      'urlPrefix',
      'filterVerb',
      'prioritizeVerb',
      'bindVerb',
      'weight',
      'enableHTTPS',
      'tlsConfig',
      'httpTimeout',
      'nodeCacheCapable',
      'managedResources',
      'ignorable',
    ],
    refused: { preemptVerb: 'extenders are not asked about preemption here' },
  })
  const verb = (name: string) => text(fields[name] ?? '', `${path}.${name}`)
  const urlPrefix = verb('urlPrefix')
  if (!/^https?:\/\//.test(urlPrefix)) refuse(`${path}.urlPrefix`, 'must begin with http:// or https://')
  const prioritizeVerb = verb('prioritizeVerb')
  const weight = integer(fields['weight'] ?? 0, `${path}.weight`)
  if (prioritizeVerb !== '' && weight <= 0) refuse(`${path}.weight`, 'must have a positive weight applied to it')
  const duration = fields['httpTimeout']
  const timeoutMs = duration === undefined ? 5_000 : parseDuration(text(duration, `${path}.httpTimeout`))
  if (timeoutMs === undefined) return refuse(`${path}.httpTimeout`, 'not a duration such as 500ms, 8s or 1m30s')
  const isHttps = flag(fields['enableHTTPS'], `${path}.enableHTTPS`) || urlPrefix.startsWith('https:')
  return {
    urlPrefix: urlPrefix.replace(/\/+$/, ''),
    filterVerb: verb('filterVerb'),
    prioritizeVerb,
    bindVerb: verb('bindVerb'),
    weight,
    timeoutMs: timeoutMs || 5_000,
    nodeCacheCapable: flag(fields['nodeCacheCapable'], `${path}.nodeCacheCapable`),
    ignorable: flag(fields['ignorable'], `${path}.ignorable`),
    managedResources: list(fields['managedResources'], `${path}.managedResources`).map((one, index) => {
      const at = `${path}.managedResources[${index}]`
      const { name, ignoredByScheduler } = object(one, at, { known: ['name', 'ignoredByScheduler'] })
      return {
        name: text(name, `${at}.name`),
        ignoredByScheduler: flag(ignoredByScheduler, `${at}.ignoredByScheduler`),
      }
    }),
    tls: isHttps ? extenderTls(fields['tlsConfig'], `${path}.tlsConfig`) : undefined,
  }
}

function extenderTls(value: unknown, path: string): ExtenderTls {
  const known = ['insecure', 'serverName', 'certFile', 'keyFile', 'caFile', 'certData', 'keyData', 'caData']
  const fields = object(value, path, { known })
  const source = (name: string): PemSource | undefined => {
    const { [`${name}Data`]: data, [`${name}File`]: file } = fields
    if (data !== undefined) return { pem: Buffer.from(text(data, `${path}.${name}Data`), 'base64').toString() }
    return file === undefined ? undefined : { file: text(file, `${path}.${name}File`) }
  }
  const { ca, cert, key } = { ca: source('ca'), cert: source('cert'), key: source('key') }
  const { serverName } = fields
  return {
    // As upstream: where no authority is named, whoever answers is believed.
    insecure: flag(fields['insecure'], `${path}.insecure`) || ca === undefined,
    ...(serverName === undefined ? {} : { serverName: text(serverName, `${path}.serverName`) }),
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
  }
}
