/** The `filters` parameter of list and prune calls: a JSON object of lists, or of sets in the older spelling. */
import { badParameter } from './errors.ts'

export type Filters = Map<string, string[]>

/** `{"label":["a=b"]}` or `{"label":{"a=b":true}}`. Throws a 400 on anything else, and on names that are not `known`. */
export function parseFilters(text: string | null, known: readonly string[]): Filters {
  if (text === null || text === '') return new Map()
  const filters: Filters = new Map()
  for (const [name, values] of Object.entries(parseObject(text))) {
    if (!known.includes(name)) throw badParameter(`invalid filter '${name}'`)
    if (Array.isArray(values)) filters.set(name, values.map(String))
    else if (typeof values === 'object' && values !== null) filters.set(name, Object.keys(values))
    else throw badParameter(`invalid filter '${name}'`)
  }
  return filters
}

/** A filter that is yes or no; undefined when it was not given. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const value = filters.get(name)?.[0]?.toLowerCase()
  if (value === undefined) return undefined
  if (['1', 't', 'true'].includes(value)) return true
  if (['0', 'f', 'false'].includes(value)) return false
  throw badParameter(`invalid filter '${name}=[${value}]'`)
}

/** All of `name` or `name=value` must be among the labels. */
export function matchesLabelFilters(labels: Record<string, string> | undefined, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const equals = text.indexOf('=')
    if (equals < 0) return labels !== undefined && Object.hasOwn(labels, text)
    return labels?.[text.slice(0, equals)] === text.slice(equals + 1)
  })
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const parsed = JSON.parse(text) as unknown
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw badParameter('invalid filter')
}
