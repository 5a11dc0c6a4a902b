/**
 * TinyApiServer: for tests only. A real HTTP server that speaks just enough of the Kubernetes API (CRUD with
 * resourceVersion conflicts, list, resumable watch, bookmarks, 410) to hold clients to the protocol, in one process.
 *
 * It stores what it is given: no defaults, no validation, and a DELETE deletes at once, whatever the finalizers. What
 * depends on those is tested against the real api-server. `requests` and the knobs (compact, breakWatches, failNext)
 * are for assertions.
 */

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  alreadyExists,
  badRequest,
  conflict,
  expired,
  invalid,
  notFound,
  toStatus,
  type StatusError,
} from '@dinghy/shared/api/errors'
import { forbidden } from '@dinghy/shared/api/field-errors'
import { resourcePath, type Resource } from '@dinghy/shared/api/resources'
import type { Draft, KubernetesObject, WatchEvent } from '@dinghy/shared/api/types'

interface Change {
  revision: number
  path: string
  event: WatchEvent<KubernetesObject>
}

export interface SeenRequest {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body: unknown
}

/** The parts of a resource path; `collection` is the path that a list of all namespaces would have. */
interface Target {
  collection: string
  plural: string
  namespace: string | undefined
  name: string | undefined
  subresource: string | undefined
}

export class TinyApiServer {
  readonly requests: SeenRequest[] = []
  /** Answers the next requests for which it returns an error. */
  failNext: ((request: SeenRequest) => StatusError | undefined) | undefined
  /** Answers in the store's place what it returns something for: subresources, metrics. */
  answerFor: ((request: SeenRequest) => object | undefined) | undefined
  /** What discovery tells of; requests for others are answered all the same. */
  resources: Resource[] = []
  /** Whether a watch may begin with all that there is; older servers refuse that. */
  servesWatchLists = true
  /** How many of them it breaks off after the first object. */
  cutBeginnings = 0
  revision = 0
  readonly #objects = new Map<string, KubernetesObject>()
  readonly #history: Change[] = []
  #oldest = 0
  readonly #watches = new Set<{ response: ServerResponse; offer: (change: Change) => void }>()
  #server: Server = createServer()
  #port = 0

  static async start(): Promise<TinyApiServer> {
    const server = new TinyApiServer()
    await server.listen()
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Again on the same port after close(): a restarted api-server. */
  async listen(): Promise<void> {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) =>
        sendJson(response, toStatus(error).code, toStatus(error)),
      )
    })
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  get watchers(): number {
    return this.#watches.size
  }

  /** What is stored, or undefined. */
  read<T extends KubernetesObject>(resource: Resource<T>, name: string, namespace?: string): T | undefined {
    return this.#objects.get(resourcePath(resource, namespace, name)) as T | undefined
  }

  all<T extends KubernetesObject>(resource: Resource<T>): T[] {
    const collection = resourcePath(resource)
    return [...this.#objects]
      .filter(([path]) => parsePath(path).collection === collection)
      .map(([, object]) => object as T)
  }

  /** Creates or replaces, as if another client had done it. */
  put<T extends KubernetesObject>(resource: Resource<T>, draft: Draft<T>): T {
    const object = structuredClone(draft) as unknown as T
    const path = resourcePath(resource, object.metadata.namespace, object.metadata.name)
    return this.#store(path, object) as T
  }

  remove(resource: Resource, name: string, namespace?: string): void {
    this.#remove(resourcePath(resource, namespace, name))
  }

  /** Forgets the history up to now: watches from older revisions get 410 Expired. */
  compact(): void {
    this.#oldest = this.revision
    this.#history.length = 0
  }

  /** Cuts every watch as a lost connection would. */
  breakWatches(): void {
    for (const { response } of this.#watches) response.destroy()
  }

  /** Sends every watch a bookmark of the present revision. */
  bookmark(): void {
    const object = { kind: 'Bookmark', apiVersion: 'v1', metadata: { resourceVersion: String(this.revision) } }
    for (const { response } of this.#watches) response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    const text = await readAll(request)
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    const method = request.method ?? 'GET'
    const seen = { method, path: url.pathname, query: url.searchParams, headers: request.headers, body }
    this.requests.push(seen)
    const failure = this.failNext?.(seen)
    if (failure) throw failure
    const made = this.answerFor?.(seen)
    if (made) return sendJson(response, 200, made)
    const target = parsePath(url.pathname)
    if (method === 'GET' && url.searchParams.has('watch')) return this.#watch(target, url.searchParams, response)
    const isStrategic = request.headers['content-type']?.includes('strategic-merge-patch') === true
    const answer = this.#answer(method, url.pathname, target, body, isStrategic)
    const asTable = method === 'GET' && String(request.headers.accept).includes('as=Table')
    sendJson(response, method === 'POST' ? 201 : 200, asTable ? toTable(answer as KubernetesObject) : answer)
  }

  #answer(method: string, path: string, target: Target, body: unknown, isStrategic: boolean): unknown {
    const { name, plural, subresource } = target
    if (method === 'GET' && (path === '/api' || path === '/apis')) return this.#discovery(path)
    if (method === 'GET' && name === undefined) return this.#list(target)
    if (method === 'DELETE' && name === undefined) return this.#removeAll(target)
    if (method === 'POST' && name === undefined) return this.#create(path, target, body as KubernetesObject)
    const objectPath = subresource ? path.slice(0, -subresource.length - 1) : path
    const present = this.#objects.get(objectPath)
    if (!present) throw notFound('', plural, name ?? '')
    switch (method) {
      case 'GET':
        return present
      case 'PUT':
        return this.#update(objectPath, target, present, body as KubernetesObject)
      case 'PATCH':
        return this.#update(objectPath, target, present, patchedObject(present, body, isStrategic))
      case 'POST':
        return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }
      default:
        return this.#remove(objectPath)
    }
  }

  #list({ collection, namespace }: Target): unknown {
    const items = [...this.#objects].filter(([path]) => isIn(path, collection, namespace)).map(([, object]) => object)
    // Real servers leave out what the list already says.
    const bare = items.map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest)
    return { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: String(this.revision) }, items: bare }
  }

  #create(path: string, { plural, namespace }: Target, draft: KubernetesObject): KubernetesObject {
    const meta = draft.metadata
    const name = meta.name ?? `${meta.generateName}${this.revision + 1}`
    if (this.#objects.has(`${path}/${name}`)) throw alreadyExists('', plural, name)
    // Readers count on a status wherever there is a spec.
    const status = 'spec' in draft ? { status: {} } : {}
    return this.#store(`${path}/${name}`, {
      ...status,
      ...draft,
      metadata: { ...meta, name, ...(namespace ? { namespace } : {}) },
    })
  }

  #removeAll({ collection, namespace }: Target): unknown {
    for (const path of this.#objects.keys()) if (isIn(path, collection, namespace)) this.#remove(path)
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 200 }
  }

  /** Aggregated discovery of `this.resources`. */
  #discovery(path: string): unknown {
    const served = this.resources.filter(({ group }) => (group === '') === (path === '/api'))
    const groups = [...new Set(served.map(({ group }) => group))]
    const items = groups.map((name) => ({
      metadata: { name },
      versions: [...new Set(served.filter(({ group }) => group === name).map(({ version }) => version))].map(
        (version) => ({
          version,
          freshness: 'Current',
          resources: served
            .filter((one) => one.group === name && one.version === version)
            .map(({ group, kind, plural, namespaced }) => ({
              resource: plural,
              singularResource: kind.toLowerCase(),
              responseKind: { group, version, kind },
              scope: namespaced ? 'Namespaced' : 'Cluster',
              verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
            })),
        }),
      ),
    }))
    return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items }
  }

  #update(path: string, { plural, name }: Target, present: KubernetesObject, next: KubernetesObject): KubernetesObject {
    const expected = next.metadata.resourceVersion
    if (expected && expected !== present.metadata.resourceVersion) {
      throw conflict('', plural, name ?? '', 'the object has been modified')
    }
    const stored = this.#store(path, next)
    // What was being deleted goes with its last finalizer.
    const isReleased = finalizersOf(present).length > 0 && finalizersOf(next).length === 0
    return isReleased && stored.metadata.deletionTimestamp !== undefined ? this.#remove(path) : stored
  }

  #store(path: string, object: KubernetesObject): KubernetesObject {
    const previous = this.#objects.get(path)
    this.revision += 1
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.revision) } }
    stored.metadata.uid ??= previous?.metadata.uid ?? `uid-${this.revision}`
    stored.metadata.creationTimestamp ??= '2025-01-01T00:00:00Z'
    this.#objects.set(path, stored)
    this.#publish({ revision: this.revision, path, event: { type: previous ? 'MODIFIED' : 'ADDED', object: stored } })
    return stored
  }

  #remove(path: string): KubernetesObject {
    const present = this.#objects.get(path)
    if (!present) throw notFound('', parsePath(path).plural, parsePath(path).name ?? '')
    this.revision += 1
    this.#objects.delete(path)
    const object = { ...present, metadata: { ...present.metadata, resourceVersion: String(this.revision) } }
    this.#publish({ revision: this.revision, path, event: { type: 'DELETED', object } })
    return object
  }

  #publish(change: Change): void {
    this.#history.push(change)
    for (const watch of this.#watches) watch.offer(change)
  }

  #watch({ collection, namespace }: Target, query: URLSearchParams, response: ServerResponse): void {
    const isWhole = query.get('sendInitialEvents') === 'true'
    if (isWhole && !this.servesWatchLists) {
      throw invalid('meta.k8s.io', 'ListOptions', '', [forbidden('sendInitialEvents', 'it is forbidden for watch')])
    }
    const from = Number(query.get('resourceVersion') ?? this.revision)
    if (from < this.#oldest) throw expired(`too old resource version: ${from} (${this.#oldest})`)
    const offer = ({ revision, path, event }: Change): void => {
      if (revision > from && isIn(path, collection, namespace)) response.write(`${JSON.stringify(event)}\n`)
    }
    response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
    if (isWhole) this.#sendEverything(collection, namespace, response)
    for (const change of this.#history) offer(change)
    const watch = { response, offer }
    this.#watches.add(watch)
    response.on('close', () => this.#watches.delete(watch))
  }

  /** What there is, and the bookmark that says that this was all. */
  #sendEverything(collection: string, namespace: string | undefined, response: ServerResponse): void {
    for (const [path, object] of this.#objects) {
      if (!isIn(path, collection, namespace)) continue
      response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`)
      if (this.cutBeginnings > 0) {
        this.cutBeginnings -= 1
        return void response.end()
      }
    }
    const annotations = { 'k8s.io/initial-events-end': 'true' }
    const object = {
      kind: 'Bookmark',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(this.revision), annotations },
    }
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
  }
}

/** A column that is always shown and one that only a wide table has. */
function toTable(answer: KubernetesObject & { items?: KubernetesObject[] }): unknown {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: answer.metadata.resourceVersion },
    columnDefinitions: [
      { name: 'Name', priority: 0 },
      { name: 'Revision', priority: 1 },
    ],
    rows: (answer.items ?? [answer]).map(({ metadata }) => ({
      cells: [metadata.name, metadata.resourceVersion],
      object: { metadata: { namespace: metadata.namespace } },
    })),
  }
}

function isIn(path: string, collection: string, namespace: string | undefined): boolean {
  const target = parsePath(path)
  return target.collection === collection && (namespace === undefined || target.namespace === namespace)
}

/** Those of a namespace are in its spec. */
function finalizersOf(object: KubernetesObject & { spec?: { finalizers?: string[] } }): string[] {
  return [...(object.metadata.finalizers ?? []), ...(object.spec?.finalizers ?? [])]
}

const namespaceSubresources = new Set(['finalize', 'status'])

function parsePath(path: string): Target {
  const parts = path.split('/').slice(1)
  const prefix = parts.splice(0, parts[0] === 'api' ? 2 : 3)
  const isInNamespace = parts[0] === 'namespaces' && parts.length > 2 && !namespaceSubresources.has(parts[2] ?? '')
  const namespace = isInNamespace ? parts.splice(0, 2)[1] : undefined
  const [plural = '', name, subresource] = parts
  return { collection: `/${[...prefix, plural].join('/')}`, plural, namespace, name, subresource }
}

/** RFC 6902, as far as clients under test use it: `replace`. Anything else is a merge patch. */
function patchedObject(present: KubernetesObject, patch: unknown, isStrategic: boolean): KubernetesObject {
  if (!Array.isArray(patch)) return patched(present, patch, isStrategic) as KubernetesObject
  return (patch as { op: string; path: string; value: unknown }[]).reduce((object, { op, path, value }) => {
    if (op !== 'replace') throw badRequest(`this server knows no ${op}`)
    const fields = path.split('/').slice(1)
    const nested = fields.reduceRight<unknown>((inner, field) => ({ [field]: inner }), value)
    return patched(object, nested, false) as KubernetesObject
  }, present)
}

/** By which key the items of a list are told apart in a strategic merge patch; undefined: they are plain values. */
const mergeKeys = new Map<string, string | undefined>([
  ['conditions', 'type'],
  ['finalizers', undefined],
  ['ownerReferences', 'uid'],
])

/** RFC 7386; of strategic merge patches the few lists and directives that our controllers use. */
function patched(target: unknown, patch: unknown, isStrategic: boolean): unknown {
  if (!isRecord(patch)) return patch
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {}
  for (const [field, value] of Object.entries(patch)) {
    const [directive, list] = field.split('/')
    if (isStrategic && list && directive === '$deleteFromPrimitiveList') {
      result[list] = asList(result[list]).filter((item) => !asList(value).includes(item))
    } else if (value === null) delete result[field]
    else if (isStrategic && Array.isArray(value) && mergeKeys.has(field)) {
      result[field] = mergedLists(asList(result[field]), value, mergeKeys.get(field))
    } else result[field] = patched(result[field], value, isStrategic)
  }
  return result
}

function mergedLists(present: unknown[], patch: unknown[], key: string | undefined): unknown[] {
  const idOf = (item: unknown): unknown => (key === undefined || !isRecord(item) ? item : item[key])
  const isNamed = new Set(patch.map(idOf))
  const kept = present.filter((item) => !isNamed.has(idOf(item)))
  return [...kept, ...patch.filter((item) => !isRecord(item) || item['$patch'] !== 'delete')]
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function sendJson(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
