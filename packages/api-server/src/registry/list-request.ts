/**
 * What a list may ask for, and which revision it means by it.
 *
 *   resourceVersion   resourceVersionMatch   limit   read
 *   unset             –                      –       now
 *   0                 – or NotOlderThan      –       now (upstream: whatever its cache holds)
 *   R                 – or NotOlderThan      none    now, which must be at least R
 *   R                 –                      some    at R (upstream's legacy rule for paged lists)
 *   R                 Exact                  –       at R
 *
 * Reads here are never stale, so "any" and "not older than" both mean now.
 */

import { badRequest, invalid } from '@dinghy/shared/api/errors'
import type { FieldError } from '@dinghy/shared/api/field-errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import type { Storage } from '../storage/storage.ts'
import { tooLargeResourceVersion } from './revision-errors.ts'
import type { Selection } from './selection.ts'

export interface ListRequest {
  namespace?: string | undefined
  selection: Selection
  limit?: number | undefined
  continue?: string | undefined
  resourceVersion?: string | undefined
  resourceVersionMatch?: string | undefined
}

export interface RevisionQuery {
  resourceVersion?: string | undefined
  resourceVersionMatch?: string | undefined
  limit?: number | undefined
  continue?: string | undefined
}

/** The past revision to read, or undefined for now. */
export function readRevision(storage: Storage, query: RevisionQuery): number | undefined {
  const problems = revisionQueryProblems(query)
  if (problems.length > 0) throw invalid('meta.k8s.io', 'ListOptions', '', problems)
  const wanted = parseResourceVersion(query.resourceVersion)
  if (wanted === undefined || wanted === 0) return undefined
  if (wanted > storage.revision) throw tooLargeResourceVersion(wanted, storage.revision)
  const exact = query.resourceVersionMatch === 'Exact' || (!query.resourceVersionMatch && Boolean(query.limit))
  return exact ? wanted : undefined
}

const greatestUint64 = 2n ** 64n - 1n

export function parseResourceVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const problem = !/^\d+$/.test(text) ? 'invalid syntax' : BigInt(text) > greatestUint64 ? 'value out of range' : ''
  if (problem) {
    const quoted = JSON.stringify(text)
    throw badRequest(`Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: ${problem}`)
  }
  return Number(text)
}

function revisionQueryProblems({ resourceVersion, resourceVersionMatch, ...query }: RevisionQuery): FieldError[] {
  if (!resourceVersionMatch) return []
  const field = 'resourceVersionMatch'
  if (!resourceVersion)
    return [fieldErrors.forbidden(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided')]
  if (query.continue)
    return [fieldErrors.forbidden(field, 'resourceVersionMatch is forbidden when continue is provided')]
  if (resourceVersionMatch !== 'Exact' && resourceVersionMatch !== 'NotOlderThan') {
    return [fieldErrors.notSupported(field, resourceVersionMatch, ['Exact', 'NotOlderThan', ''])]
  }
  if (resourceVersionMatch === 'Exact' && resourceVersion === '0') {
    return [fieldErrors.forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')]
  }
  return []
}
