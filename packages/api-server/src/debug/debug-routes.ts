/**
 * /debug: what no other cluster shows.
 *
 *   GET /debug/why?resource=pods&namespace=default&name=web     the chain of causes, newest first
 *   GET /debug/history?resource=…&namespace=…&name=…            every revision: who, when, why, what it changed;
 *                                                               &diff=true: with the values before and after
 *   GET /debug/who?resource=…&name=…&field=.spec.replicas       every write of one field, and who owns it now
 *   GET /debug/diff?from=120&to=140                             what differs in the whole cluster; to: now, if not said
 *   GET /debug/queue                                            the work queues of this process: it has none
 *
 * `resource` is a plural, a singular or a short name; `group=` or plural.group where two groups share one.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import type { Exchange } from '../http/exchange.ts'
import type { PathRoutes } from '../http/path-routes.ts'
import { jsonReply } from '../http/reply.ts'
import { objectKey } from '../registry/object-key.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { Resources } from '../registry/resources.ts'
import { expiredWhenCompacted } from '../registry/revision-errors.ts'
import type { Revision, Storage } from '../storage/storage.ts'
import type { Change } from './changed-paths.ts'
import { clusterDiff } from './cluster-diff.ts'
import { parseFieldPath } from './field-path.ts'
import { whoSet } from './who.ts'
import { changesOf, factsAt, why } from './why.ts'

export function debugRoutes(storage: Storage, resources: Resources): PathRoutes {
  const pages: PathRoutes = {
    '/debug': () => jsonReply({ paths: Object.keys(pages) }),
    '/debug/why': (exchange) => {
      const { key, definition, name } = subjectOf(exchange, resources)
      const chain = why(storage, key)
      if (chain.length === 0) throw notFound(definition.group, definition.plural, name)
      return jsonReply({ chain })
    },
    '/debug/history': (exchange) => {
      const { key, definition, name } = subjectOf(exchange, resources)
      const revisions = storage.history(key)
      if (revisions.length === 0) throw notFound(definition.group, definition.plural, name)
      return jsonReply({
        revisions: revisions.map((revision) => ({
          revision: revision.revision,
          actor: revision.actor,
          ...(revision.cause !== undefined ? { cause: revision.cause } : {}),
          at: new Date(revision.at).toISOString(),
          verb: revision.verb,
          facts: factsAt(storage, revision),
          ...changedIn(storage, revision, exchange.query.get('diff') === 'true'),
        })),
      })
    },
    '/debug/who': (exchange) => {
      const { key, definition, name } = subjectOf(exchange, resources)
      const field = exchange.parameter('field')
      const path = parseFieldPath(field ?? '')
      if (!path) throw badRequest('field must be a path such as .spec.replicas or .spec.containers[0].image')
      const story = whoSet(storage, key, path)
      if (!story) throw notFound(definition.group, definition.plural, name)
      return jsonReply(story)
    },
    '/debug/diff': (exchange) => {
      const from = revisionParameter(exchange, 'from')
      if (from === undefined) throw badRequest('from is required')
      const to = revisionParameter(exchange, 'to') ?? storage.revision
      return jsonReply({
        from,
        to,
        objects: expiredWhenCompacted('list', () => clusterDiff(storage, resources, from, to)),
      })
    },
    '/debug/queue': () => jsonReply({ queues: {} }),
  }
  return pages
}

/** `changed`: the paths; with ?diff=true also `changes`: each with its value before and after. */
function changedIn(storage: Storage, revision: Revision, isDiff: boolean): { changed: string[]; changes?: Change[] } {
  const changes = changesOf(storage, revision)
  return { changed: changes.map(({ path }) => path), ...(isDiff ? { changes } : {}) }
}

function revisionParameter(exchange: Exchange, name: string): number | undefined {
  const text = exchange.parameter(name)
  if (text !== undefined && !/^\d+$/.test(text)) throw badRequest(`${name} must be a revision, a number`)
  return text === undefined ? undefined : Number(text)
}

function subjectOf(
  exchange: Exchange,
  resources: Resources,
): { key: string; definition: ResourceDefinition; name: string } {
  const resource = exchange.parameter('resource')
  const name = exchange.parameter('name')
  if (!resource || !name) throw badRequest('resource and name are required')
  const definition = findByAnyName(resources, resource, exchange.query.get('group'))
  if (!definition) throw badRequest(`the server doesn't have a resource type ${JSON.stringify(resource)}`)
  const namespace = definition.namespaced ? (exchange.parameter('namespace') ?? 'default') : undefined
  return { key: objectKey(definition.storage, namespace, name), definition, name }
}

function findByAnyName(resources: Resources, wanted: string, group: string | null): ResourceDefinition | undefined {
  const [plural = '', ...suffix] = wanted.toLowerCase().split('.')
  const inGroup = group ?? (suffix.length > 0 ? suffix.join('.') : undefined)
  return resources
    .all()
    .filter((definition) => inGroup === undefined || definition.group === inGroup)
    .find(
      ({ plural: name, singular, shortNames }) => name === plural || singular === plural || shortNames.includes(plural),
    )
}
