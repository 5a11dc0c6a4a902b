/** Lists of headers, and how node:http2 wants them. Pure. */

import type { OutgoingHttpHeaders } from 'node:http2'
import { isValue } from './http1-response.ts'

/** Names in lower case; several of one name as a list. */
export function objectOf(headers: readonly string[]): OutgoingHttpHeaders {
  const object: OutgoingHttpHeaders = Object.create(null) as OutgoingHttpHeaders
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] ?? '').toLowerCase()
    const value = headers[index + 1] ?? ''
    const before = object[name]
    if (before === undefined) object[name] = value
    else if (Array.isArray(before)) before.push(value)
    // These may be there once only, for node; whoever sent two meant the same thing by both.
    else if (!onlyOnce.has(name)) object[name] = [String(before), value]
  }
  return object
}

const onlyOnce = new Set(['content-length', 'content-type', 'authorization', 'user-agent', 'referer', 'te', 'location'])

/** Without pseudo-headers. Cookies, which HTTP/2 may split, are one field again (RFC 9113, section 8.2.3). */
export function fieldsOf(raw: readonly string[]): string[] {
  const fields: string[] = []
  let cookieAt = -1
  for (let index = 0; index < raw.length; index += 2) {
    const [name = '', value = ''] = [raw[index], raw[index + 1]]
    if (name.startsWith(':') || !isValue(value)) continue
    if (name === 'cookie' && cookieAt >= 0) fields[cookieAt] += `; ${value}`
    else fields.push(name, value)
    if (name === 'cookie' && cookieAt < 0) cookieAt = fields.length - 1
  }
  return fields
}
