/**
 * From the options of `kubectl logs`, as they stand in the query, to the options of the engine's log call. Pure.
 * Follows upstream's ValidatePodLogOptions; the messages are its.
 */

import { badRequest } from '@dinghy/shared/api/errors'
import type { LogQuery } from '../docker/docker-client.ts'
import { flagOf } from './query.ts'

export interface LogOptions {
  docker: LogQuery
  previous: boolean
  /** Stop after this many bytes. */
  limitBytes: number | undefined
}

export function logOptions(query: URLSearchParams, nowMs: number): LogOptions {
  const sinceSeconds = wholeNumber(query, 'sinceSeconds', 1)
  const sinceTime = query.get('sinceTime')
  if (sinceSeconds !== undefined && sinceTime)
    throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified')
  const tailLines = wholeNumber(query, 'tailLines', 0)
  const since = sinceSeconds === undefined ? sinceTime && epochSeconds(sinceTime) : seconds(nowMs - sinceSeconds * 1000)
  return {
    docker: {
      ...(flagOf(query, 'follow') ? { follow: true } : {}),
      ...(flagOf(query, 'timestamps') ? { timestamps: true } : {}),
      tail: tailLines === undefined ? 'all' : String(tailLines),
      ...(since ? { since } : {}),
    },
    previous: flagOf(query, 'previous'),
    limitBytes: wholeNumber(query, 'limitBytes', 1),
  }
}

function wholeNumber(query: URLSearchParams, name: string, least: number): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (!Number.isInteger(value)) throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be an integer`)
  if (value < least)
    throw badRequest(`${name}: Invalid value: ${value}: must be greater than ${least === 0 ? 'or equal to ' : ''}0`)
  return value
}

const rfc3339 = /^(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/

/** Keeps the nanoseconds, which Date cannot hold. */
function epochSeconds(time: string): string {
  const match = rfc3339.exec(time)
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN
  if (Number.isNaN(ms)) throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(time)}: must be a time in RFC3339`)
  return `${Math.floor(ms / 1000)}.${(match?.[2] ?? '').padEnd(9, '0').slice(0, 9)}`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(9)
}
