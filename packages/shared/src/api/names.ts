/**
 * What Kubernetes accepts as a name, a label or a key, and how it makes names up. Every `is…` function returns the
 * list of what is wrong, in upstream's words (k8s.io/apimachinery/pkg/util/validation); an empty list means valid.
 * Lengths are counted in bytes, as upstream does.
 */
import { isIP } from 'node:net'
import { customAlphabet } from 'nanoid'

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain = `${label}(\\.${label})*`
const labelWithUnderscore = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const withUnderscores = `${labelWithUnderscore}(\\.${labelWithUnderscore})*`
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const qualifiedPart = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelValue = `(${qualifiedPart})?`
const configMapKey = '[-._a-zA-Z0-9]+'
const wildcardSubdomain = `\\*\\.${subdomain}`

const alphanumericEnds = 'and must start and end with an alphanumeric character'

/** A container's, a namespace's or a port's kind of name: lower case, at most 63 bytes. */
export function isDns1123Label(value: string): string[] {
  const words = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', ${alphanumericEnds}`
  const problems = atMost(63, value)
  if (whole(label).test(value)) return problems
  if (whole(subdomain).test(value)) return [...problems, 'must not contain dots']
  return [...problems, regexMessage(words, label, 'my-name', '123-abc')]
}

/** What most objects' names are: labels joined by dots, at most 253 bytes. */
export function isDns1123Subdomain(value: string): string[] {
  const words = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ${alphanumericEnds}`
  return [...atMost(253, value), ...matches(value, subdomain, words, 'example.com')]
}

/** A domain that DNS is asked for, where a label may begin with an underscore: "_http._tcp.example.com". */
export function isDns1123SubdomainWithUnderscore(value: string): string[] {
  const words = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', ${alphanumericEnds}`
  const problems = atMost(253, value)
  // The pattern that 1.33 tells of is the one without underscores.
  return whole(withUnderscores).test(value) ? problems : [...problems, regexMessage(words, subdomain, 'example.com')]
}

/** A Service's name: a label that starts with a letter. */
export function isDns1035Label(value: string): string[] {
  const words =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"
  return [...atMost(63, value), ...matches(value, label1035, words, 'my-name', 'abc-123')]
}

export function isWildcardDns1123Subdomain(value: string): string[] {
  const words =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
  return [...atMost(253, value), ...matches(value, wildcardSubdomain, words, '*.example.com')]
}

/** A label or annotation key, a resource or taint name: an optional "subdomain/" and a name of at most 63 bytes. */
export function isQualifiedName(value: string): string[] {
  const words = `must consist of alphanumeric characters, '-', '_' or '.', ${alphanumericEnds}`
  const explain = (subject: string) =>
    regexMessage(`${subject} ${words}`, qualifiedPart, 'MyName', 'my.name', '123-abc')
  const parts = value.split('/')
  if (parts.length > 2) {
    return [`${explain('a qualified name')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  const [name = '', prefix] = parts.reverse()
  const problems: string[] = []
  if (prefix === '') problems.push('prefix part must be non-empty')
  else if (prefix !== undefined) problems.push(...isDns1123Subdomain(prefix).map((text) => `prefix part ${text}`))
  if (name === '') problems.push('name part must be non-empty')
  else if (byteLength(name) > 63) problems.push('name part must be no more than 63 bytes')
  if (!whole(qualifiedPart).test(name)) problems.push(explain('name part'))
  return problems
}

export function isLabelValue(value: string): string[] {
  const words = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', ${alphanumericEnds}`
  return [...atMost(63, value), ...matches(value, labelValue, words, 'MyValue', 'my_value', '12345')]
}

/** A key of a ConfigMap or Secret, which becomes a file name. */
export function isConfigMapKey(value: string): string[] {
  const words = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
  const problems = [...atMost(253, value), ...matches(value, configMapKey, words, 'key.name', 'KEY_NAME', 'key-name')]
  return [...problems, ...notDots(value)]
}

/** Kubernetes ≥ 1.32 lets an environment variable have any printable ASCII name without '='. */
export function isEnvVarName(value: string): string[] {
  if (value === '') return ['environment variable name must be non-empty']
  return /^[ -<>-~]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

/** A named container port: an IANA service name. */
export function isPortName(value: string): string[] {
  const problems = atMost(15, value)
  if (!/^[-a-z0-9]+$/.test(value))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)')
  if (value.includes('--')) problems.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) problems.push('must not begin or end with a hyphen')
  return problems
}

export function isPortNumber(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : ['must be between 1 and 65535, inclusive']
}

export function isIpAddress(value: string): string[] {
  return isIP(value) === 0 ? ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'] : []
}

/** The weakest rule: what can stand between two slashes of a URL. Roles and CRs of odd kinds use it. */
export function isPathSegmentName(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`]
  return ['/', '%'].filter((char) => value.includes(char)).map((char) => `may not contain '${char}'`)
}

/** No vowels, and no digits that look like them: random names must not spell words. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** `length` random characters of upstream's alphabet. */
export const randomSuffix: (length: number) => string = customAlphabet(alphabet)

/** A name for metadata.generateName: the prefix, cut so that it fits a label, and five random characters. */
export function generateName(prefix: string): string {
  return prefix.slice(0, 63 - 5) + randomSuffix(5)
}

/** `base-hash`, with the base cut so that the whole is at most `maxLength` characters. */
export function nameWithHash(base: string, hash: string, maxLength = 253): string {
  return `${base.slice(0, maxLength - hash.length - 1)}-${hash}`
}

/** Any text as characters of the alphabet above: how hashes become parts of names. */
export function safeEncode(text: string): string {
  return Array.from(Buffer.from(text), (byte) => alphabet[byte % alphabet.length]).join('')
}

const patterns = new Map<string, RegExp>()

/** The pattern must match the text from end to end; compiled once. */
function whole(pattern: string): RegExp {
  const known = patterns.get(pattern)
  if (known !== undefined) return known
  const regExp = new RegExp(`^(?:${pattern})$`)
  patterns.set(pattern, regExp)
  return regExp
}

function matches(value: string, pattern: string, words: string, ...examples: string[]): string[] {
  return whole(pattern).test(value) ? [] : [regexMessage(words, pattern, ...examples)]
}

/** The double space before "or" is upstream's. */
function regexMessage(words: string, pattern: string, ...examples: string[]): string {
  return `${words} (e.g. ${examples.map((example) => `'${example}', `).join(' or ')}regex used for validation is '${pattern}')`
}

function atMost(max: number, value: string): string[] {
  return byteLength(value) > max ? [`must be no more than ${max} bytes`] : []
}

function notDots(value: string): string[] {
  if (value === '.') return ["must not be '.'"]
  if (value === '..') return ["must not be '..'"]
  return value.startsWith('..') ? ["must not start with '..'"] : []
}

function byteLength(value: string) {
  return Buffer.byteLength(value)
}
