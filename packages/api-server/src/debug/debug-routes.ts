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
 *
 * The past of an object tells what the object told, so whoever asks for it needs the right to `get` that object, and no
 * other (`debugAccess`). Other objects in its chain of causes are told by name to those who may get them. A diff tells
 * everything of everybody, Secrets included: it needs a rule for its path, which nobody but cluster-admin is born with.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import { type AccessAttributes, type Authorizer, mayDo } from '../auth/authorize.ts'
import type { UserInfo } from '../auth/user.ts'
import type { Exchange } from '../http/exchange.ts'
import type { PathRoutes } from '../http/path-routes.ts'
import { jsonReply } from '../http/reply.ts'
import { locationOf, objectKey } from '../registry/object-key.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { Resources } from '../registry/resources.ts'
import { expiredWhenCompacted } from '../registry/revision-errors.ts'
import type { Revision, Storage } from '../storage/storage.ts'
import type { Change } from './changed-paths.ts'
import { clusterDiff } from './cluster-diff.ts'
import { parseFieldPath } from './field-path.ts'
import { whoSet } from './who.ts'
import { changesOf, factsAt, type Link, why } from './why.ts'

const aboutOneObject = new Set(['/debug/why', '/debug/history', '/debug/who'])

/** What authorization is asked instead of the path; undefined for paths that stand for nothing else. */
export function debugAccess({ user, request, query }: Exchange, resources: Resources): AccessAttributes | undefined {
  // The route that will answer, however the client spelled the path.
  if (!aboutOneObject.has(request.routeOptions.url ?? '')) return undefined
  const { definition, namespace, name } = subjectOf(query, resources)
  const { group, version, plural: resource } = definition
  return { user, verb: 'get', group, version, resource, namespace, name, subresource: undefined, path: undefined }
}

export interface DebugDeps {
  storage: Storage
  resources: Resources
  authorizer: Authorizer
}

export function debugRoutes({ storage, resources, authorizer }: DebugDeps): PathRoutes {
  const pages: PathRoutes = {
    '/debug': () => jsonReply({ paths: Object.keys(pages) }),
    '/debug/why': (exchange) => {
      const { key, definition, name } = subjectOf(exchange.query, resources)
      const chain = why(storage, key).map((link) =>
        link.key === key ? link : asSeenBy(exchange.user, link, authorizer),
      )
      if (chain.length === 0) throw notFound(definition.group, definition.plural, name)
      return jsonReply({ chain })
    },
    '/debug/history': (exchange) => {
      const { key, definition, name } = subjectOf(exchange.query, resources)
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
      const { key, definition, name } = subjectOf(exchange.query, resources)
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

/** That there was a write, when and by whom, may be known; of what, only by those who may get it. */
function asSeenBy(user: UserInfo, link: Link, authorizer: Authorizer): Link {
  const { group, plural: resource } = locationOf(link.key)
  const { namespace, name, ...rest } = link
  if (mayDo(authorizer, user, { verb: 'get', group, resource, namespace, name })) return link
  return { ...rest, key: '', name: '(hidden)', summary: '' }
}

interface Subject {
  key: string
  definition: ResourceDefinition
  namespace: string | undefined
  name: string
}

function subjectOf(query: URLSearchParams, resources: Resources): Subject {
  const resource = query.get('resource')
  const name = query.get('name')
  if (!resource || !name) throw badRequest('resource and name are required')
  const definition = findByAnyName(resources, resource, query.get('group'))
  if (!definition) throw badRequest(`the server doesn't have a resource type ${JSON.stringify(resource)}`)
  const namespace = definition.namespaced ? query.get('namespace') || 'default' : undefined
  return { key: objectKey(definition.storage, namespace, name), definition, namespace, name }
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
