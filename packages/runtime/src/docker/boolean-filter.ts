/** Filters that are yes or no: `dangling=true`. */
import { badParameter } from '@dinghy/shared/docker/errors'
import type { Filters } from '../filters.ts'

/** Undefined when the filter was not given; a 400 when it is neither yes nor no. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const value = filters.get(name)?.[0]?.toLowerCase()
  if (value === undefined) return undefined
  if (['1', 't', 'true'].includes(value)) return true
  if (['0', 'f', 'false'].includes(value)) return false
  throw badParameter(`invalid filter '${name}=[${value}]'`)
}
