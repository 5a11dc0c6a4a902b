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
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { digestOf, DigestMismatchError, isDigest } from '@dinghy/images/content/content-store'
import { readAll } from '@dinghy/images/distribution/web-request'
import type { Manifest, ManifestIndex } from '@dinghy/images/content/oci'
import { isIndex } from '@dinghy/images/content/oci'
import type { RegistryStore } from './registry-store.ts'

export interface RegistryServerOptions {
  store: RegistryStore
  credentials?: { username: string; password: string }
  onError?: (error: unknown) => void
}

/** An error of the distribution API: a status, a code, a message. */
class ApiError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const namePattern = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*'
const tagPattern = /^\w[\w.-]{0,127}$/
const maxManifestBytes = 4 * 2 ** 20

interface Call {
  request: IncomingMessage
  response: ServerResponse
  store: RegistryStore
  name: string
  /** Tag, digest or upload id. */
  reference: string
  query: URLSearchParams
}

/** First match wins. */
const routes: [method: string, path: RegExp, handler: (call: Call) => Promise<void>][] = [
  ['GET', /^\/v2\/?$/, ({ response }) => Promise.resolve(sendJson(response, 200, {}))],
  [
    'GET',
    /^\/v2\/_catalog$/,
    async ({ response, store }) => sendJson(response, 200, { repositories: await store.repositories() }),
  ],
  ['GET', new RegExp(`^/v2/(?<name>${namePattern})/tags/list$`), listTags],
  ['GET', new RegExp(`^/v2/(?<name>${namePattern})/manifests/(?<reference>[^/]+)$`), getManifest],
  ['HEAD', new RegExp(`^/v2/(?<name>${namePattern})/manifests/(?<reference>[^/]+)$`), getManifest],
  ['PUT', new RegExp(`^/v2/(?<name>${namePattern})/manifests/(?<reference>[^/]+)$`), putManifest],
  ['DELETE', new RegExp(`^/v2/(?<name>${namePattern})/manifests/(?<reference>[^/]+)$`), deleteManifest],
  ['POST', new RegExp(`^/v2/(?<name>${namePattern})/blobs/uploads/?$`), startUpload],
  ['GET', new RegExp(`^/v2/(?<name>${namePattern})/blobs/uploads/(?<reference>[0-9a-f-]+)$`), uploadStatus],
  ['PATCH', new RegExp(`^/v2/(?<name>${namePattern})/blobs/uploads/(?<reference>[0-9a-f-]+)$`), appendUpload],
  ['PUT', new RegExp(`^/v2/(?<name>${namePattern})/blobs/uploads/(?<reference>[0-9a-f-]+)$`), finishUpload],
  ['DELETE', new RegExp(`^/v2/(?<name>${namePattern})/blobs/uploads/(?<reference>[0-9a-f-]+)$`), cancelUpload],
  ['GET', new RegExp(`^/v2/(?<name>${namePattern})/blobs/(?<reference>[^/]+)$`), getBlob],
  ['HEAD', new RegExp(`^/v2/(?<name>${namePattern})/blobs/(?<reference>[^/]+)$`), getBlob],
  ['DELETE', new RegExp(`^/v2/(?<name>${namePattern})/blobs/(?<reference>[^/]+)$`), deleteBlob],
]

export function createRegistryServer(options: RegistryServerOptions): Server {
  return createServer((request, response) => {
    serve(request, response, options).catch((error: unknown) => {
      if (!(error instanceof ApiError)) options.onError?.(error)
      sendError(response, error instanceof ApiError ? error : new ApiError(500, 'UNKNOWN', 'unknown error'))
    })
  })
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: RegistryServerOptions,
): Promise<void> {
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0')
  // Registry clients send no Origin: this is a web page that tries its luck with a local port.
  if (request.headers.origin !== undefined) throw new ApiError(403, 'DENIED', 'requests from web pages are denied')
  requireLogin(request, response, options.credentials)
  const url = new URL(request.url ?? '/', 'http://registry')
  for (const [method, path, handler] of routes) {
    const match = request.method === method ? path.exec(decodeURIComponent(url.pathname)) : null
    if (!match) continue
    const { name = '', reference = '' } = match.groups ?? {}
    return handler({ request, response, store: options.store, name, reference, query: url.searchParams })
  }
  throw new ApiError(404, 'UNSUPPORTED', 'The operation is unsupported.')
}

function requireLogin(
  request: IncomingMessage,
  response: ServerResponse,
  credentials: RegistryServerOptions['credentials'],
): void {
  if (!credentials) return
  const wanted = digestOf(`Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`)
  const given = digestOf(request.headers.authorization ?? '')
  // Digests have one length: how much of a guess is right shows nowhere.
  if (timingSafeEqual(Buffer.from(wanted), Buffer.from(given))) return
  response.setHeader('WWW-Authenticate', 'Basic realm="dinghy registry"')
  throw new ApiError(401, 'UNAUTHORIZED', 'authentication required')
}

async function listTags({ response, store, name }: Call): Promise<void> {
  requireRepository(store, name)
  sendJson(response, 200, { name, tags: await store.tags(name) })
}

async function getManifest({ request, response, store, name, reference }: Call): Promise<void> {
  requireManifestReference(reference)
  const manifest = await store.manifest(name, reference)
  if (!manifest) {
    requireRepository(store, name)
    throw new ApiError(404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  }
  response.writeHead(200, {
    'Content-Type': manifest.mediaType,
    'Content-Length': manifest.bytes.length,
    'Docker-Content-Digest': manifest.digest,
  })
  response.end(request.method === 'HEAD' ? undefined : manifest.bytes)
}

async function putManifest({ request, response, store, name, reference }: Call): Promise<void> {
  requireManifestReference(reference)
  const bytes = await readAll(request, maxManifestBytes)
  const document = parseManifest(bytes)
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
    const missing = blobs.find(({ digest }) => !isDigest(digest) || !store.hasBlob(name, digest))
    if (missing) throw new ApiError(400, 'MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${missing.digest}`)
  }
  const mediaType = request.headers['content-type'] ?? document.mediaType
  const digest = await store.putManifest(name, mediaType, bytes, isByDigest ? undefined : reference)
  response.writeHead(201, {
    Location: `/v2/${name}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    'Content-Length': 0,
  })
  response.end()
}

async function deleteManifest({ response, store, name, reference }: Call): Promise<void> {
  requireManifestReference(reference)
  if (!(await store.manifest(name, reference))) throw new ApiError(404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  await store.removeManifest(name, reference)
  sendEmpty(response, 202)
}

async function getBlob({ request, response, store, name, reference }: Call): Promise<void> {
  const size = await requireBlob(store, name, reference)
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const start = range ? Number(range[1]) : 0
  const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1
  if (range && (start >= size || start > end)) {
    response.setHeader('Content-Range', `bytes */${size}`)
    throw new ApiError(416, 'RANGE_INVALID', 'invalid content range')
  }
  response.writeHead(range ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': size === 0 ? 0 : end - start + 1,
    'Docker-Content-Digest': reference,
    'Accept-Ranges': 'bytes',
    ...(range ? { 'Content-Range': `bytes ${start}-${end}/${size}` } : {}),
  })
  if (request.method === 'HEAD' || size === 0) response.end()
  else await pipeline(createReadStream(store.content.path(reference), { start, end }), response)
}

async function deleteBlob({ response, store, name, reference }: Call): Promise<void> {
  await requireBlob(store, name, reference)
  await store.unlinkBlob(name, reference)
  sendEmpty(response, 202)
}

async function startUpload({ request, response, store, name, query }: Call): Promise<void> {
  const [mount, from] = [query.get('mount') ?? '', query.get('from') ?? '']
  if (isDigest(mount) && new RegExp(`^${namePattern}$`).test(from) && store.hasBlob(from, mount)) {
    await store.linkBlob(name, mount)
    return sendCreated(response, name, mount)
  }
  const id = await store.startUpload()
  const digest = query.get('digest')
  if (digest === null) return sendUpload(response, 202, name, id, 0)
  await store.appendUpload(id, request)
  await finish(store, id, name, digest)
  sendCreated(response, name, digest)
}

async function uploadStatus({ response, store, name, reference }: Call): Promise<void> {
  sendUpload(response, 204, name, reference, await requireUpload(store, reference))
}

async function appendUpload({ request, response, store, name, reference }: Call): Promise<void> {
  const size = await requireUpload(store, reference)
  const range = /^(?:bytes )?(\d+)-(\d+)/.exec(request.headers['content-range'] ?? '')
  // A chunk that does not begin where the last one ended would make a hole.
  if (range && Number(range[1]) !== size) {
    response.setHeader('Range', `0-${Math.max(size - 1, 0)}`)
    throw new ApiError(416, 'BLOB_UPLOAD_INVALID', 'blob upload invalid: chunk out of order')
  }
  sendUpload(response, 202, name, reference, await store.appendUpload(reference, request))
}

async function finishUpload({ request, response, store, name, reference, query }: Call): Promise<void> {
  await requireUpload(store, reference)
  const digest = query.get('digest') ?? ''
  await store.appendUpload(reference, request)
  await finish(store, reference, name, digest)
  sendCreated(response, name, digest)
}

async function cancelUpload({ response, store, reference }: Call): Promise<void> {
  await requireUpload(store, reference)
  await store.cancelUpload(reference)
  sendEmpty(response, 204)
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

function parseManifest(bytes: Buffer): Manifest | ManifestIndex {
  try {
    const document = JSON.parse(bytes.toString()) as Partial<Manifest & ManifestIndex>
    if (Array.isArray(document.manifests) || (document.config && Array.isArray(document.layers))) {
      return document as Manifest | ManifestIndex
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new ApiError(400, 'MANIFEST_INVALID', 'manifest invalid')
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

function sendUpload(response: ServerResponse, status: number, name: string, id: string, size: number): void {
  response.writeHead(status, {
    Location: `/v2/${name}/blobs/uploads/${id}`,
    Range: `0-${Math.max(size - 1, 0)}`,
    'Docker-Upload-UUID': id,
    ...(status !== 204 ? { 'Content-Length': 0 } : {}),
  })
  response.end()
}

function sendCreated(response: ServerResponse, name: string, digest: string): void {
  response.writeHead(201, {
    Location: `/v2/${name}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
    'Content-Length': 0,
  })
  response.end()
}

function sendEmpty(response: ServerResponse, status: number): void {
  response.writeHead(status, status === 204 ? {} : { 'Content-Length': 0 })
  response.end()
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length })
  response.end(bytes)
}

function sendError(response: ServerResponse, { status, code, message }: ApiError): void {
  // Too late for an error answer: a download that breaks off is one that can be seen.
  if (response.headersSent) response.destroy()
  else sendJson(response, status, { errors: [{ code, message, detail: null }] })
}
