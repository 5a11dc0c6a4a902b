/**
 * Named formats: `format.dns1123Label().validate(name)` gives what is wrong, if anything is. Follows
 * k8s.io/apiserver/pkg/cel/library/format.go.
 */

import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelValue,
  isQualifiedName,
} from '@dinghy/shared/api/names'
import { type Library, registerClass, registerFunctions, registerNamespace } from './library.ts'
import { parseUrl } from './network.ts'

type Validate = (value: string) => string[]

class Format {
  readonly validate: Validate

  constructor(validate: Validate) {
    this.validate = validate
  }
}

const dateTime = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/

const formats: Record<string, Validate> = {
  dns1123Label: isDns1123Label,
  dns1123Subdomain: isDns1123Subdomain,
  dns1035Label: isDns1035Label,
  qualifiedName: isQualifiedName,
  dns1123LabelPrefix: (value) => isDns1123Label(withoutTrailingDash(value)),
  dns1123SubdomainPrefix: (value) => isDns1123Subdomain(withoutTrailingDash(value)),
  dns1035LabelPrefix: (value) => isDns1035Label(withoutTrailingDash(value)),
  labelValue: isLabelValue,
  uri: (value) => (parseUrl(value) ? [] : [`parse ${JSON.stringify(value)}: invalid URI for request`]),
  uuid: matching(
    /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i,
    'does not match the UUID format',
  ),
  byte: matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, 'invalid base64'),
  date: (value) => (/^\d{4}-\d{2}-\d{2}$/.test(value) && isDate(value) ? [] : ['invalid date']),
  datetime: (value) => (dateTime.test(value) && isDate(value) ? [] : ['invalid datetime']),
}

export function registerFormats(library: Library): void {
  const { Optional } = library
  const made = new Map(Object.entries(formats).map(([name, validate]) => [name, new Format(validate)]))
  registerClass(library, 'kubernetes.NamedFormat', Format)
  registerNamespace(library, 'format', {
    'named(string): optional<kubernetes.NamedFormat>': (name: string) => {
      const format = made.get(name)
      return format ? Optional.of(format) : Optional.none()
    },
    ...Object.fromEntries([...made].map(([name, format]) => [`${name}(): kubernetes.NamedFormat`, () => format])),
  })
  registerFunctions(library, {
    'kubernetes.NamedFormat.validate(string): optional<list<string>>': (format: Format, value: string) => {
      const problems = format.validate(value)
      return problems.length > 0 ? Optional.of(problems) : Optional.none()
    },
  })
}

/** What a random suffix would make whole: "web-" is the beginning of "web-x2x4q". */
function withoutTrailingDash(value: string): string {
  return value.length > 1 && value.endsWith('-') ? `${value.slice(0, -1)}a` : value
}

function matching(pattern: RegExp, problem: string): Validate {
  return (value) => (pattern.test(value) ? [] : [problem])
}

function isDate(value: string): boolean {
  const day = value.slice(0, 10)
  const date = new Date(`${day}T00:00:00Z`)
  // JavaScript would take the 30th of February for the 2nd of March.
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day) && !Number.isNaN(Date.parse(value))
}
