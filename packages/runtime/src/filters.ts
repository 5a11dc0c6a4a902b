/**
 * The `filters` parameter: JSON, either {"label": ["a", "b"]} or, from older clients, {"label": {"a": true}}. Pure.
 */
import { badParameter } from '@dinghy/shared/docker/errors'

export type Filters = Map<string, string[]>

/** Throws a 400 for malformed JSON and for names that this list does not know. */
export function parseFilters(text: string | null, known: string[]): Filters {
  const filters: Filters = new Map()
  if (text === null || text === '') return filters
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw badParameter(`invalid filter: ${error instanceof Error ? error.message : text}`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw badParameter('invalid filter')
  for (const [name, value] of Object.entries(parsed)) {
    if (!known.includes(name)) throw badParameter(`invalid filter '${name}'`)
    if (typeof value !== 'object') throw badParameter(`invalid filter '${name}'`)
    const values = Array.isArray(value)
      ? value.map(String)
      : Object.entries((value ?? {}) as Record<string, boolean>).flatMap(([key, on]) => (on ? [key] : []))
    filters.set(name, values)
  }
  return filters
}

/** No such filter, or one of its values satisfies the predicate. */
export function anyOf(filters: Filters, name: string, matches: (value: string) => boolean): boolean {
  const values = filters.get(name)
  return values === undefined || values.length === 0 || values.some(matches)
}

/** Every `label` filter ("key" or "key=value") holds, and no `label!` does. */
export function labelsMatch(filters: Filters, labels: Record<string, string>): boolean {
  const holds = (wanted: string) => {
    const [key = '', ...rest] = wanted.split('=')
    return key in labels && (rest.length === 0 || labels[key] === rest.join('='))
  }
  return (filters.get('label') ?? []).every(holds) && !(filters.get('label!') ?? []).some(holds)
}

/** Docker matches most texts as regular expressions, and those that are none literally. */
export function matchesText(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern).test(text)
  } catch (error) {
    if (error instanceof SyntaxError) return text === pattern
    throw error
  }
}
