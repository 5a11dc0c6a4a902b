/**
 * Query parameters and option bodies as typed options. What they say wrong is told in upstream's words.
 */

import { badRequest, invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import type { DeleteOptions } from '../registry/deletion-plan.ts'
import type { ListRequest } from '../registry/list-request.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { parseSelection } from '../registry/selection.ts'
import type { WatchRequest } from '../registry/watch.ts'
import type { FieldValidation } from './decode.ts'
import { decodeBody } from './decode.ts'
import type { Exchange } from './exchange.ts'
import { isTrue } from './request-info.ts'

export function listRequest(exchange: Exchange, definition: ResourceDefinition): ListRequest {
  return {
    namespace: definition.namespaced ? exchange.info.namespace : undefined,
    selection: parseSelection(definition, {
      labelSelector: exchange.parameter('labelSelector'),
      fieldSelector: fieldSelector(exchange),
    }),
    limit: integer(exchange, 'limit'),
    continue: exchange.parameter('continue'),
    resourceVersion: exchange.parameter('resourceVersion'),
    resourceVersionMatch: exchange.parameter('resourceVersionMatch'),
  }
}

export function watchRequest(exchange: Exchange, definition: ResourceDefinition): WatchRequest {
  const sendInitialEvents = exchange.parameter('sendInitialEvents')
  return {
    ...listRequest(exchange, definition),
    sendInitialEvents: sendInitialEvents === undefined ? undefined : isTrue(sendInitialEvents),
    allowWatchBookmarks: isTrue(exchange.query.get('allowWatchBookmarks')),
  }
}

/** The path /watch/namespaces/x/pods/NAME selects by name. */
function fieldSelector({ info, query }: Exchange): string | undefined {
  const given = query.get('fieldSelector') ?? ''
  return info.name !== undefined && info.resource !== 'namespaces'
    ? [`metadata.name=${info.name}`, given].filter(Boolean).join(',')
    : given
}

/** Whether to rehearse only. */
export function isDryRun(exchange: Exchange, kind: string, fromBody: string[] = []): boolean {
  const values = [...exchange.query.getAll('dryRun'), ...fromBody].filter(Boolean)
  const wrong = values.find((value) => value !== 'All')
  if (wrong !== undefined) {
    throw invalid('meta.k8s.io', kind, '', [fieldErrors.notSupported('dryRun', values, ['All'])])
  }
  return values.length > 0
}

export function fieldValidation(exchange: Exchange, kind: string): FieldValidation {
  const value = exchange.parameter('fieldValidation') ?? 'Warn'
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value
  throw invalid('meta.k8s.io', kind, '', [
    fieldErrors.notSupported('fieldValidation', value, ['', 'Ignore', 'Strict', 'Warn']),
  ])
}

interface DeleteOptionsBody extends DeleteOptions {
  dryRun?: string[]
}

/** DeleteOptions from the body, if there is one, else from the query. */
export function deleteOptions(
  exchange: Exchange,
  types: TypeSource,
  body: Buffer,
): { options: DeleteOptions; dryRun: boolean } {
  const options = body.length > 0 ? deleteOptionsOf(exchange, types, body) : deleteOptionsFromQuery(exchange)
  const { gracePeriodSeconds } = options
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds < 0) {
    const problem = fieldErrors.invalid('gracePeriodSeconds', gracePeriodSeconds, 'must be greater than or equal to 0')
    throw invalid('meta.k8s.io', 'DeleteOptions', '', [problem])
  }
  return { options, dryRun: isDryRun(exchange, 'DeleteOptions', options.dryRun) }
}

function deleteOptionsOf({ request }: Exchange, types: TypeSource, body: Buffer): DeleteOptionsBody {
  const target = {
    group: '',
    version: 'v1',
    kind: 'DeleteOptions',
    type: 'meta.v1.DeleteOptions',
    types,
    anyVersion: true,
  }
  const { object } = decodeBody(body, request.headers['content-type'], target, { fieldValidation: 'Ignore' })
  return object as unknown as DeleteOptionsBody
}

function deleteOptionsFromQuery(exchange: Exchange): DeleteOptionsBody {
  const orphan = exchange.parameter('orphanDependents')
  return {
    gracePeriodSeconds: integer(exchange, 'gracePeriodSeconds'),
    propagationPolicy: exchange.parameter('propagationPolicy'),
    orphanDependents: orphan === undefined ? undefined : isTrue(orphan),
  }
}

export function integer(exchange: Exchange, name: string): number | undefined {
  const text = exchange.parameter(name)
  if (text === undefined) return undefined
  if (!/^-?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}
