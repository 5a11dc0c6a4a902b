/**
 * The typed client of the Kubernetes API: one method for each verb.
 *
 * Callers may rely on: every error is a StatusError (the server's own Status when it sent one; ServiceUnavailable when
 * it could not be reached), except an abort, which rejects with the signal's reason; every request names its actor
 * (User-Agent) and its cause (causality.ts). Nothing is retried here: reconcilers are retried as a whole by their
 * queue.
 */

import type { Clock } from '../api/clock.ts'
import { apiVersionOf, resourcePath, type Resource } from '../api/resources.ts'
import { fromResponse, serviceUnavailable, StatusError, type Status } from '../api/errors.ts'
import type { Draft, KubernetesObject, WatchEvent } from '../api/types.ts'
import { type ClientTls, httpRequest, type HttpResponse, readBytes, readLines, readText } from '../http/client.ts'
import { isNobodyThere, untilListening } from '../http/until-listening.ts'
import type { Backoff } from './backoff.ts'
import { causeHeader, currentCause } from './causality.ts'

export interface ObjectReference {
  namespace?: string | undefined
  name: string
}

export type ResourceVersionMatch = 'Exact' | 'NotOlderThan'

export interface GetOptions {
  resourceVersion?: string
  resourceVersionMatch?: ResourceVersionMatch
}

export interface ListOptions extends GetOptions {
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  limit?: number
  continue?: string | undefined
  /** Ask for the metadata of the objects and nothing else; kind and apiVersion remain those of the resource. */
  metadataOnly?: boolean
}

export interface WatchOptions {
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  resourceVersion?: string
  resourceVersionMatch?: ResourceVersionMatch
  allowWatchBookmarks?: boolean
  sendInitialEvents?: boolean
  timeoutSeconds?: number
  /** As for a list. */
  metadataOnly?: boolean
}

export interface WriteOptions {
  subresource?: string
  dryRun?: boolean
  fieldManager?: string
  /** Only for patch type 'apply': take over fields that another manager owns. */
  force?: boolean
}

export interface DeleteOptions {
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  gracePeriodSeconds?: number
  preconditions?: { uid?: string; resourceVersion?: string }
}

export interface Patch {
  type: 'merge' | 'json' | 'strategic' | 'apply'
  body: unknown
}

export interface ObjectList<T> {
  metadata: { resourceVersion: string; continue?: string }
  items: T[]
}

const patchContentTypes: Record<Patch['type'], string> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** Who asks whom: readKubeconfig() gives all but the user agent. */
export interface ApiClientOptions {
  server: string
  userAgent: string
  /** One object for all clients of a process: connections and sessions are kept by its identity. */
  tls?: ClientTls | undefined
  token?: string | undefined
}

export class ApiClient {
  /** `https://host:port` or `unix:///path/of/a/socket`, without a slash at the end. */
  readonly server: string
  /** The actor as history will show it: "deployment-controller", "kubelet/node-1". */
  readonly userAgent: string

  readonly #tls: ClientTls | undefined
  readonly #token: string | undefined

  constructor(options: ApiClientOptions) {
    this.server = options.server.replace(/\/+$/, '')
    this.userAgent = options.userAgent
    this.#tls = options.tls
    this.#token = options.token
  }

  /** The pause after a request has failed: until somebody listens, if nobody did, and else what `backoff` says. */
  async pauseAfter(error: unknown, backoff: Backoff, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!isNobodyThere(error)) return await backoff.wait(signal)
    const { protocol, hostname, port } = new URL(this.server)
    const host = hostname.replace(/^\[|\]$/g, '')
    await untilListening({ host, port: Number(port || (protocol === 'https:' ? 443 : 80)) }, clock, signal)
  }

  /** The same server, another actor. */
  as(userAgent: string): ApiClient {
    return new ApiClient({ server: this.server, userAgent, tls: this.#tls, token: this.#token })
  }

  async get<T extends KubernetesObject>(
    resource: Resource<T>,
    ref: ObjectReference,
    options: GetOptions = {},
    signal?: AbortSignal,
  ): Promise<T> {
    return await this.#json<T>('GET', objectPath(resource, ref) + queryString({ ...options }), undefined, {}, signal)
  }

  async list<T extends KubernetesObject>(
    resource: Resource<T>,
    options: ListOptions = {},
    signal?: AbortSignal,
  ): Promise<ObjectList<T>> {
    const { namespace, metadataOnly = false, ...query } = options
    const path = resourcePath(resource, namespace) + queryString(query)
    const headers = metadataOnly ? metadataHeaders('PartialObjectMetadataList') : {}
    const list = await this.#json<ObjectList<T>>('GET', path, undefined, headers, signal)
    const items = list.items ?? []
    if (metadataOnly) return { metadata: list.metadata, items: items.map((item) => bareObject(resource, item)) }
    // A list says the kind of its items once; whoever takes one out of it wants an object that says what it is.
    const apiVersion = apiVersionOf(resource)
    for (const item of items) {
      item.apiVersion ??= apiVersion
      item.kind ??= resource.kind
    }
    return { metadata: list.metadata, items }
  }

  /** Creates in the namespace that the object's metadata names. */
  async create<T extends KubernetesObject>(
    resource: Resource<T>,
    object: Draft<T>,
    options: WriteOptions = {},
    signal?: AbortSignal,
  ): Promise<T> {
    const { namespace } = (object as { metadata: { namespace?: string } }).metadata
    const path = resourcePath(resource, namespace) + writeQuery(options)
    return await this.#json<T>('POST', path, identified(resource, object), {}, signal)
  }

  async update<T extends KubernetesObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
    signal?: AbortSignal,
  ): Promise<T> {
    const path = objectPath(resource, object.metadata, options.subresource) + writeQuery(options)
    return await this.#json<T>('PUT', path, identified(resource, object), {}, signal)
  }

  async patch<T extends KubernetesObject>(
    resource: Resource<T>,
    ref: ObjectReference,
    patch: Patch,
    options: WriteOptions = {},
    signal?: AbortSignal,
  ): Promise<T> {
    const path = objectPath(resource, ref, options.subresource) + writeQuery(options)
    const headers = { 'Content-Type': patchContentTypes[patch.type] }
    return await this.#json<T>('PATCH', path, patch.body, headers, signal)
  }

  async delete(
    resource: Resource,
    ref: ObjectReference,
    options: DeleteOptions = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options }
    await this.#json('DELETE', objectPath(resource, ref), body, {}, signal)
  }

  /**
   * Deletes everything that the selection names. The server goes through it one by one: there is no "all or nothing".
   */
  async deleteCollection(
    resource: Resource,
    selection: Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'>,
    options: DeleteOptions = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const { namespace, ...query } = selection
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options }
    await this.#json('DELETE', resourcePath(resource, namespace) + queryString(query), body, {}, signal)
  }

  async createSubresource(
    resource: Resource,
    ref: ObjectReference,
    subresource: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<unknown> {
    return await this.#json('POST', objectPath(resource, ref, subresource), body, {}, signal)
  }

  /**
   * Events after `resourceVersion` (an ERROR is thrown, never delivered), until the server ends the watch (the
   * iteration ends), the connection breaks or the server reports an error (it throws), or the signal aborts (it throws
   * the reason).
   */
  async *watch<T extends KubernetesObject>(
    resource: Resource<T>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    const { namespace, metadataOnly = false, ...query } = options
    const path = resourcePath(resource, namespace) + queryString({ watch: true, ...query })
    const headers = metadataOnly ? metadataHeaders('PartialObjectMetadata') : {}
    const response = await this.raw('GET', path, undefined, headers, signal)
    try {
      for await (const line of readLines(response.body)) {
        const event = JSON.parse(line) as WatchEvent<T>
        if (event.type === 'ERROR') throw new StatusError(event.object as unknown as Status)
        yield metadataOnly ? { type: event.type, object: bareObject(resource, event.object) } : event
      }
    } catch (error) {
      throw asStatusError(error, this.server, signal)
    } finally {
      response.body.destroy()
    }
  }

  /**
   * Any request; the caller reads (or destroys) the body. A string or Buffer body is sent as it is, anything else as
   * JSON.
   */
  async raw(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    const cause = currentCause()
    const encoded =
      body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const allHeaders = {
      'User-Agent': this.userAgent,
      Accept: 'application/json',
      ...(this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` }),
      ...(encoded === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(cause === undefined ? {} : { [causeHeader]: cause }),
      ...headers,
    }
    try {
      const url = this.server.startsWith(unixScheme)
        ? { socketPath: this.server.slice(unixScheme.length), path }
        : this.server + path
      const request = { method, url, headers: allHeaders, body: encoded, tls: this.#tls }
      const response = await httpRequest(request, signal)
      if (response.status < 400) return response
      throw fromResponse(response.status, await readText(response))
    } catch (error) {
      throw asStatusError(error, this.server, signal)
    }
  }

  async #json<T>(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const response = await this.raw(method, path, body, headers, signal)
    try {
      const bytes = await readBytes(response)
      return (bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8'))) as T
    } catch (error) {
      throw asStatusError(error, this.server, signal)
    }
  }
}

const unixScheme = 'unix://'

function objectPath(resource: Resource, ref: ObjectReference, subresource?: string): string {
  return resourcePath(resource, resource.namespaced ? ref.namespace : undefined, ref.name, subresource)
}

/** Drafts and objects taken from lists may lack their kind; a body on the wire must have it. */
function identified(resource: Resource, object: object): object {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object }
}

/** A server that cannot leave the rest out sends whole objects; bareObject() makes the two alike. */
function metadataHeaders(as: string): Record<string, string> {
  return { Accept: `application/json;as=${as};g=meta.k8s.io;v=v1,application/json` }
}

function bareObject<T extends KubernetesObject>(resource: Resource<T>, { metadata }: T): T {
  // The caller asked for metadata only, and knows that T promises more than there is.
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata } as T
}

function writeQuery({ dryRun, fieldManager, force }: WriteOptions): string {
  return queryString({ dryRun: dryRun ? 'All' : undefined, fieldManager, force })
}

function queryString(parameters: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, String(value))
  return query.size === 0 ? '' : `?${query.toString()}`
}

/** What the transport throws becomes ServiceUnavailable, so that callers have one kind of error to think about. */
function asStatusError(error: unknown, server: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason
  if (error instanceof StatusError) return error
  const message = `${server}: ${error instanceof Error ? error.message : String(error)}`
  return serviceUnavailable(message, { cause: error })
}
