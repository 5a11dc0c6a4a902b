/**
 * A small registry of our own: the OCI distribution API over RegistryStore, for machines without a network and for
 * learning what `docker push` really does. Plain HTTP, so it belongs on a loopback address; with `credentials` it
 * asks for a login.
 *
 *   GET|HEAD            /v2/<name>/manifests/<tag|digest>      PUT, DELETE
 *   GET|HEAD            /v2/<name>/blobs/<digest>              DELETE; ranges
 *   POST                /v2/<name>/blobs/uploads/              ?digest= (all at once), ?mount=&from=
 *   GET|PATCH|PUT|DELETE /v2/<name>/blobs/uploads/<id>
 *   GET                 /v2/, /v2/_catalog, /v2/<name>/tags/list
 */
import { timingSafeEqual } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { FastifyReply } from 'fastify'
import { digestOf, DigestMismatchError, isDigest } from '@dinghy/images/content/content-store'
import { parseManifest } from '@dinghy/images/content/documents'
import type { Manifest, ManifestIndex } from '@dinghy/images/content/oci'
import { isIndex, mediaTypes } from '@dinghy/images/content/oci'
import { DockerError } from '@dinghy/shared/docker/errors'
import { readBody } from '@dinghy/shared/http/body'
import { type ErrorAnswer, HttpError } from '@dinghy/shared/http/http-error'
import { HttpServer } from '@dinghy/shared/http/server'
import type { RegistryStore } from './registry-store.ts'

interface RegistryServerOptions {
  store: RegistryStore
  credentials?: { username: string; password: string }
  onError?: (error: unknown) => void
}

/** An error of the distribution API: a status, a code, a message. */
class ApiError extends HttpError {
  readonly code: string

  constructor(statusCode: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(statusCode, message, headers)
    this.code = code
  }
}

const namePattern = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*'
const wholeName = new RegExp(`^${namePattern}$`)
const tagPattern = /^\w[\w.-]{0,127}$/
/** By which clients know that they talk to a registry, refused or not. */
const apiHeader = { 'docker-distribution-api-version': 'registry/2.0' }
const maxManifestBytes = 4 * 2 ** 20

interface Call {
  method: string
  headers: IncomingMessage['headers']
  /** The body as it arrives. */
  body: IncomingMessage
  reply: FastifyReply
  store: RegistryStore
  name: string
  /** Tag, digest or upload id. */
  reference: string
  query: URLSearchParams
}

type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

const routes: [methods: Method[], path: string, handler: (call: Call) => Promise<void>][] = [
  [['GET'], '/v2', async ({ reply }) => sendJson(reply, {})],
  [['GET'], '/v2/', async ({ reply }) => sendJson(reply, {})],
  [['GET'], '/v2/_catalog', async ({ reply, store }) => sendJson(reply, { repositories: await store.repositories() })],
  [['GET'], '/v2/:name/tags/list', listTags],
  [['GET', 'HEAD'], '/v2/:name/manifests/:reference', getManifest],
  [['PUT'], '/v2/:name/manifests/:reference', putManifest],
  [['DELETE'], '/v2/:name/manifests/:reference', deleteManifest],
  [['POST'], '/v2/:name/blobs/uploads', startUpload],
  [['POST'], '/v2/:name/blobs/uploads/', startUpload],
  [['GET'], '/v2/:name/blobs/uploads/:reference', uploadStatus],
  [['PATCH'], '/v2/:name/blobs/uploads/:reference', appendUpload],
  [['PUT'], '/v2/:name/blobs/uploads/:reference', finishUpload],
  [['DELETE'], '/v2/:name/blobs/uploads/:reference', cancelUpload],
  [['GET', 'HEAD'], '/v2/:name/blobs/:reference', getBlob],
  [['DELETE'], '/v2/:name/blobs/:reference', deleteBlob],
]

export function createRegistryServer({ store, credentials, onError }: RegistryServerOptions): HttpServer {
  const server = new HttpServer({
    maxParamLength: 4096,
    rewriteUrl: ({ url = '/' }) => routeUrl(url),
    guard: ({ origin, authorization }) => {
      // Registry clients send no Origin: this is a web page that tries its luck with a local port.
      if (origin !== undefined) throw new ApiError(403, 'DENIED', 'requests from web pages are denied')
      requireLogin(authorization, credentials)
    },
    notFound: unsupported,
    errorHandler: (error) => {
      if (!(error instanceof HttpError)) onError?.(error)
      return answerTo(error)
    },
  })
  server.app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(apiHeader)
    done()
  })
  for (const [method, url, handler] of routes) {
    server.app.route<{ Params: { name?: string; reference?: string } }>({
      method,
      url,
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        const { name = '', reference = '' } = request.params
        if (name !== '' && !wholeName.test(name)) unsupported()
        const query = new URL(request.url, 'http://registry').searchParams
        const { method, headers, raw: body } = request
        await handler({ method, headers, body, reply, store, name, reference, query })
        return reply
      },
    })
  }
  return server
}

/** Names have slashes: they are encoded, so that each is one segment of a route. Pure. */
export function routeUrl(url: string): string {
  const [, name, rest] =
    /^\/v2\/(.+)\/((?:tags\/list|manifests\/[^/]+|blobs\/uploads\/?[^/]*|blobs\/[^/]+)(?:\?.*)?)$/.exec(url) ?? []
  return name === undefined ? url : `/v2/${name.replaceAll('/', '%2F')}/${rest}`
}

function unsupported(): never {
  throw new ApiError(404, 'UNSUPPORTED', 'The operation is unsupported.')
}

function answerTo(error: unknown): ErrorAnswer {
  const { statusCode, code, message, headers } = asApiError(error)
  return {
    statusCode,
    headers: { 'content-type': 'application/json', ...apiHeader, ...headers },
    body: Buffer.from(JSON.stringify({ errors: [{ code, message, detail: null }] })),
  }
}

/** The kit's own errors are about sizes and URLs; of ours nobody outside is told. */
function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  const { statusCode = 500, message, headers = {} } = error as Partial<HttpError>
  if (statusCode === 500) return new ApiError(500, 'UNKNOWN', 'unknown error')
  return new ApiError(statusCode, statusCode === 413 ? 'SIZE_INVALID' : 'UNSUPPORTED', message ?? '', headers)
}

function requireLogin(authorization: string | undefined, credentials: RegistryServerOptions['credentials']): void {
  if (!credentials) return
  const wanted = digestOf(`Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`)
  const given = digestOf(authorization ?? '')
  // Digests have one length: how much of a guess is right shows nowhere.
  if (timingSafeEqual(Buffer.from(wanted), Buffer.from(given))) return
  const challenge = { 'www-authenticate': 'Basic realm="dinghy registry"' }
  throw new ApiError(401, 'UNAUTHORIZED', 'authentication required', challenge)
}

async function listTags({ reply, store, name }: Call): Promise<void> {
  requireRepository(store, name)
  sendJson(reply, { name, tags: await store.tags(name) })
}

async function getManifest({ reply, store, name, reference }: Call): Promise<void> {
  requireManifestReference(reference)
  const manifest = await store.manifest(name, reference)
  if (!manifest) {
    requireRepository(store, name)
    throw new ApiError(404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  }
  const { bytes, mediaType, digest } = manifest
  void reply.headers({ 'content-type': mediaType, 'docker-content-digest': digest }).send(bytes)
}

async function putManifest({ headers, body, reply, store, name, reference }: Call): Promise<void> {
  requireManifestReference(reference)
  const bytes = await readBody(body, maxManifestBytes)
  const document = manifestOr400(bytes)
  const isByDigest = reference.includes(':')
  if (isByDigest && digestOf(bytes) !== reference) {
    throw new ApiError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
  }
  if (isIndex(document)) {
    for (const { digest } of document.manifests) {
      if (!(await store.manifest(name, digest)))
        throw new ApiError(404, 'MANIFEST_UNKNOWN', `manifest unknown: ${digest}`)
    }
  } else {
    const blobs = [document.config, ...document.layers]
    const missing = blobs.find(({ digest }) => !store.hasBlob(name, digest))
    if (missing) throw new ApiError(400, 'MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${missing.digest}`)
  }
  const usualType = isIndex(document) ? mediaTypes.index : mediaTypes.manifest
  const mediaType = headers['content-type'] ?? document.mediaType ?? usualType
  const digest = await store.putManifest(name, mediaType, bytes, isByDigest ? undefined : reference)
  const location = `/v2/${name}/manifests/${digest}`
  void reply.code(201).headers({ location, 'docker-content-digest': digest }).send()
}

async function deleteManifest({ reply, store, name, reference }: Call): Promise<void> {
  requireManifestReference(reference)
  if (!(await store.manifest(name, reference))) throw new ApiError(404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  await store.removeManifest(name, reference)
  void reply.code(202).send()
}

async function getBlob({ method, headers, reply, store, name, reference }: Call): Promise<void> {
  const size = await requireBlob(store, name, reference)
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '')
  const start = range ? Number(range[1]) : 0
  const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1
  if (range && (start >= size || start > end)) {
    throw new ApiError(416, 'RANGE_INVALID', 'invalid content range', { 'content-range': `bytes */${size}` })
  }
  void reply.code(range ? 206 : 200).headers({
    'content-type': 'application/octet-stream',
    'content-length': size === 0 ? 0 : end - start + 1,
    'docker-content-digest': reference,
    'accept-ranges': 'bytes',
    ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  })
  const isEmpty = method === 'HEAD' || size === 0
  void reply.send(isEmpty ? undefined : createReadStream(store.content.path(reference), { start, end }))
}

async function deleteBlob({ reply, store, name, reference }: Call): Promise<void> {
  await requireBlob(store, name, reference)
  await store.unlinkBlob(name, reference)
  void reply.code(202).send()
}

async function startUpload({ body, reply, store, name, query }: Call): Promise<void> {
  const [mount, from] = [query.get('mount') ?? '', query.get('from') ?? '']
  if (isDigest(mount) && wholeName.test(from) && store.hasBlob(from, mount)) {
    await store.linkBlob(name, mount)
    return sendCreated(reply, name, mount)
  }
  const id = await store.startUpload()
  const digest = query.get('digest')
  if (digest === null) return sendUpload(reply, 202, name, id, 0)
  await store.appendUpload(id, body)
  await finish(store, id, name, digest)
  sendCreated(reply, name, digest)
}

async function uploadStatus({ reply, store, name, reference }: Call): Promise<void> {
  sendUpload(reply, 204, name, reference, await requireUpload(store, reference))
}

async function appendUpload({ headers, body, reply, store, name, reference }: Call): Promise<void> {
  const size = await requireUpload(store, reference)
  const range = /^(?:bytes )?(\d+)-(\d+)/.exec(headers['content-range'] ?? '')
  // A chunk that does not begin where the last one ended would make a hole.
  if (range && Number(range[1]) !== size) {
    const message = 'blob upload invalid: chunk out of order'
    throw new ApiError(416, 'BLOB_UPLOAD_INVALID', message, { range: `0-${Math.max(size - 1, 0)}` })
  }
  sendUpload(reply, 202, name, reference, await store.appendUpload(reference, body))
}

async function finishUpload({ body, reply, store, name, reference, query }: Call): Promise<void> {
  await requireUpload(store, reference)
  const digest = query.get('digest') ?? ''
  await store.appendUpload(reference, body)
  await finish(store, reference, name, digest)
  sendCreated(reply, name, digest)
}

async function cancelUpload({ reply, store, reference }: Call): Promise<void> {
  await requireUpload(store, reference)
  await store.cancelUpload(reference)
  void reply.code(204).send()
}

async function finish(store: RegistryStore, id: string, name: string, digest: string): Promise<void> {
  if (!isDigest(digest)) throw new ApiError(400, 'DIGEST_INVALID', 'digest parsing failed')
  try {
    await store.finishUpload(id, name, digest)
  } catch (error) {
    if (!(error instanceof DigestMismatchError)) throw error
    throw new ApiError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
  }
}

function manifestOr400(bytes: Buffer): Manifest | ManifestIndex {
  try {
    return parseManifest(bytes)
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
    throw new ApiError(400, 'MANIFEST_INVALID', 'manifest invalid')
  }
}

function requireManifestReference(reference: string): void {
  if (!isDigest(reference) && !tagPattern.test(reference))
    throw new ApiError(400, 'TAG_INVALID', 'manifest tag did not match URI')
}

function requireRepository(store: RegistryStore, name: string): void {
  if (!store.hasRepository(name)) throw new ApiError(404, 'NAME_UNKNOWN', 'repository name not known to registry')
}

async function requireBlob(store: RegistryStore, name: string, digest: string): Promise<number> {
  if (!isDigest(digest)) throw new ApiError(400, 'DIGEST_INVALID', 'digest parsing failed')
  const size = store.hasBlob(name, digest) ? await store.content.size(digest) : undefined
  if (size === undefined) throw new ApiError(404, 'BLOB_UNKNOWN', 'blob unknown to registry')
  return size
}

async function requireUpload(store: RegistryStore, id: string): Promise<number> {
  const size = await store.uploadSize(id)
  if (size === undefined) throw new ApiError(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
  return size
}

function sendUpload(reply: FastifyReply, status: number, name: string, id: string, size: number): void {
  const location = `/v2/${name}/blobs/uploads/${id}`
  void reply
    .code(status)
    .headers({ location, range: `0-${Math.max(size - 1, 0)}`, 'docker-upload-uuid': id })
    .send()
}

function sendCreated(reply: FastifyReply, name: string, digest: string): void {
  const location = `/v2/${name}/blobs/${digest}`
  void reply.code(201).headers({ location, 'docker-content-digest': digest }).send()
}

function sendJson(reply: FastifyReply, body: object): void {
  void reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(body)))
}
