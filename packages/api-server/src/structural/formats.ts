/**
 * The formats of strings that schemas of custom resources may name, as upstream's strfmt tells them apart. Formats that
 * are not in this list mean nothing, as upstream. Names are compared without their dashes: "date-time" is "datetime".
 */

import { isIP, isIPv4, isIPv6 } from 'node:net'
import { parseDuration } from '@dinghy/shared/api/duration'
import { isQuantity } from '@dinghy/shared/api/quantity'

type Check = (text: string) => boolean

const hex = '[0-9a-f]'

function uuid(third: string, fourth: string): Check {
  const pattern = new RegExp(`^${hex}{8}-?${hex}{4}-?${third}-?${fourth}-?${hex}{12}$`, 'i')
  return (text) => pattern.test(text)
}

function matching(pattern: RegExp): Check {
  return (text) => pattern.test(text)
}

const anyFour = `${hex}{4}`
const variant = `[89ab]${hex}{3}`

const checks = new Map<string, Check>([
  ['bsonobjectid', matching(/^[0-9a-fA-F]{24}$/)],
  ['uri', isRequestUri],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', (text) => isIPv4(text)],
  ['ipv6', (text) => isIPv6(text) && text.includes(':')],
  ['cidr', isCidr],
  ['mac', isMac],
  ['uuid', uuid(anyFour, anyFour)],
  ['uuid3', uuid(`3${hex}{3}`, anyFour)],
  ['uuid4', uuid(`4${hex}{3}`, variant)],
  ['uuid5', uuid(`5${hex}{3}`, variant)],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matching(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matching(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ['rgbcolor', isRgbColor],
  ['byte', matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/)],
  ['password', () => true],
  ['date', isDate],
  ['duration', isDuration],
  ['datetime', isDateTime],
  ['quantity', isQuantity],
])

/** Whether the text has the format; undefined if there is no such format. */
export function hasFormat(text: string, format: string): boolean | undefined {
  return checks.get(format.replaceAll('-', ''))?.(text)
}

/** As Go's url.ParseRequestURI: absolute, or an absolute path. */
function isRequestUri(text: string): boolean {
  if (text === '' || /[\s\p{Cc}]/u.test(text) || /%(?![0-9a-fA-F]{2})/.test(text)) return false
  return text.startsWith('/') || /^[a-zA-Z][a-zA-Z0-9+.-]*:./.test(text)
}

function isEmail(text: string): boolean {
  const [, address = text] = /^[^<>]*<([^<>]+)>$/.exec(text) ?? []
  return /^[^\s@<>(),;:"[\]\\]+@[^\s@<>(),;:"[\]\\]+$/.test(address)
}

function isHostname(text: string): boolean {
  const label = /^[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\p{S}\p{L}-]*[a-zA-Z0-9\p{S}\p{L}])?$/u
  if (Buffer.byteLength(text) > 255) return false
  return text.split('.').every((part) => Buffer.byteLength(part) <= 63 && label.test(part))
}

function isCidr(text: string): boolean {
  const [, address = '', bits = ''] = /^(.+)\/(\d{1,3})$/.exec(text) ?? []
  const family = isIP(address)
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128)
}

function isMac(text: string): boolean {
  return [
    /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1)*[0-9a-f]{2}$/i,
    /^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?:\.[0-9a-f]{4})?$/i,
  ].some((pattern) => pattern.test(text) && [6, 8, 20].includes(text.replace(/[^0-9a-f]/gi, '').length / 2))
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '')
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  const sum = Array.from(digits).reduce((sum, digit, i) => sum + (digit === 'X' ? 10 : Number(digit)) * (i + 1), 0)
  return sum % 11 === 0
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '')
  if (!/^\d{13}$/.test(digits)) return false
  return Array.from(digits).reduce((sum, digit, i) => sum + Number(digit) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
}

const creditCard =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D/g, '')
  if (!creditCard.test(digits)) return false
  const sum = Array.from(digits)
    .reverse()
    .reduce((sum, digit, i) => {
      const value = Number(digit) * (i % 2 === 0 ? 1 : 2)
      return sum + (value > 9 ? value - 9 : value)
    }, 0)
  return sum % 10 === 0
}

function isRgbColor(text: string): boolean {
  const [, ...parts] = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text) ?? []
  return parts.length === 3 && parts.every((part) => Number(part) <= 255)
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

function isDateTime(text: string): boolean {
  const [, day = ''] = /^(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:?\d{2})$/.exec(text) ?? []
  return isDate(day) && !Number.isNaN(Date.parse(text.replace(' ', 'T')))
}

/** As Go writes them, and "3 days" besides. */
function isDuration(text: string): boolean {
  if (parseDuration(text) !== undefined) return true
  return /^\s*\d+(?:\.\d+)?\s*(?:ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\s*$/.test(
    text,
  )
}
