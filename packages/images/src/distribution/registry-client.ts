/**
 * A client for one repository of a registry: the OCI distribution API, with the token dance in front of it.
 *
 * Requests are answered with the response or a RegistryError; a registry that cannot be reached at all throws
 * UnreachableError (http.ts). Registries on this machine are spoken to without TLS, as Docker does for 127.0.0.0/8.
 */
import type { OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { readAll, webRequest } from './web-request.ts'
import type { WebRequest, WebResponse } from './web-request.ts'
import { mediaTypes } from '../content/oci.ts'
import type { Reference } from '@dinghy/shared/docker/reference'
import type { Credentials } from './credentials.ts'
import { parseRegistryError } from './registry-error.ts'

const maxManifestBytes = 4 * 2 ** 20
const maxErrorBytes = 2 ** 16
const manifestTypes = [mediaTypes.dockerManifest, mediaTypes.dockerIndex, mediaTypes.manifest, mediaTypes.index].join(
  ', ',
)

interface ClientOptions {
  credentials?: Credentials | undefined
  /** How long to wait for a first sign of life. */
  timeoutMs?: number
  actions: 'pull' | 'pull,push'
}

export class RegistryClient {
  readonly #base: string
  readonly #repository: string
  readonly #options: ClientOptions
  #authorization: string | undefined

  constructor(reference: Pick<Reference, 'domain' | 'path'>, options: ClientOptions) {
    this.#base = `${registryUrl(reference.domain)}/v2/`
    this.#repository = reference.path
    this.#options = options
  }

  /** The manifest's bytes as they are: their digest is the manifest's name. */
  async manifest(tagOrDigest: string, signal?: AbortSignal): Promise<{ bytes: Buffer; mediaType: string }> {
    const response = await this.#request(`manifests/${tagOrDigest}`, { headers: { Accept: manifestTypes } }, signal)
    const bytes = await readAll(response.body, maxManifestBytes)
    return { bytes, mediaType: (response.headers['content-type'] ?? '').split(';', 1)[0] ?? '' }
  }

  /**
   * The blob from `offset` on. A registry that cannot do ranges sends it whole, which `offset` 0 in the answer says.
   */
  async blob(digest: string, offset: number, signal?: AbortSignal): Promise<{ body: Readable; offset: number }> {
    const headers = offset > 0 ? { Range: `bytes=${offset}-` } : {}
    const response = await this.#request(`blobs/${digest}`, { headers }, signal)
    return { body: response.body, offset: response.status === 206 ? offset : 0 }
  }

  /** All tags of the repository, which large registries hand out page by page. */
  async tags(signal?: AbortSignal): Promise<string[]> {
    const tags: string[] = []
    let next: string | undefined = `${this.#base}${this.#repository}/tags/list`
    while (next !== undefined) {
      const response: WebResponse = await this.#send(next, {}, signal)
      const page = JSON.parse((await readAll(response.body, maxManifestBytes)).toString()) as {
        tags: string[] | null
      }
      tags.push(...(page.tags ?? []))
      const link = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers['link']?.toString() ?? '')?.[1]
      next = link === undefined ? undefined : new URL(link, response.url).href
    }
    return tags
  }

  async hasBlob(digest: string, signal?: AbortSignal): Promise<boolean> {
    const response = await this.#request(`blobs/${digest}`, { method: 'HEAD' }, signal, [404])
    return response.status === 200
  }

  /** Begins an upload. With `mountFrom` the registry may take the blob from another repository and be done. */
  async startUpload(
    options: { digest?: string; mountFrom?: string },
    signal?: AbortSignal,
  ): Promise<{ location: string } | 'mounted'> {
    const mount = options.mountFrom !== undefined && options.digest !== undefined
    const query = mount ? `?mount=${options.digest}&from=${encodeURIComponent(options.mountFrom ?? '')}` : ''
    const response = await this.#request(
      `blobs/uploads/${query}`,
      { method: 'POST', headers: { 'Content-Length': 0 } },
      signal,
    )
    response.body.resume()
    return response.status === 201 ? 'mounted' : { location: this.#locationOf(response) }
  }

  /** Sends bytes from `offset` on. Returns where the next ones go. */
  async uploadChunk(
    location: string,
    body: Readable,
    offset: number,
    size: number,
    signal?: AbortSignal,
  ): Promise<string> {
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Content-Length': size - offset,
      'Content-Range': `${offset}-${size - 1}`,
    }
    const response = await this.#send(location, { method: 'PATCH', headers, body }, signal)
    response.body.resume()
    return this.#locationOf(response)
  }

  /** How much of an interrupted upload has arrived. */
  async uploadStatus(location: string, signal?: AbortSignal): Promise<{ location: string; received: number }> {
    const response = await this.#send(location, { method: 'GET' }, signal)
    response.body.resume()
    const end = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.range ?? '')?.[1]
    // "0-0" is what registries answer to an upload without bytes, too: sending one byte again is harmless.
    return { location: this.#locationOf(response), received: end === undefined || end === '0' ? 0 : Number(end) + 1 }
  }

  async finishUpload(location: string, digest: string, signal?: AbortSignal): Promise<void> {
    const url = new URL(location)
    url.searchParams.set('digest', digest)
    const response = await this.#send(url.href, { method: 'PUT', headers: { 'Content-Length': 0 } }, signal)
    response.body.resume()
  }

  async putManifest(tagOrDigest: string, bytes: Buffer, mediaType: string, signal?: AbortSignal): Promise<void> {
    const headers = { 'Content-Type': mediaType, 'Content-Length': bytes.length }
    const response = await this.#request(`manifests/${tagOrDigest}`, { method: 'PUT', headers, body: bytes }, signal)
    response.body.resume()
  }

  #request(path: string, request: WebRequest, signal?: AbortSignal, expected: number[] = []): Promise<WebResponse> {
    return this.#send(`${this.#base}${this.#repository}/${path}`, request, signal, expected)
  }

  async #send(url: string, request: WebRequest, signal?: AbortSignal, expected: number[] = []): Promise<WebResponse> {
    if (this.#authorization === undefined) await this.#authenticate(signal)
    const response = await webRequest(url, this.#withHeaders(request), signal)
    if (response.status < 400 || expected.includes(response.status)) return response
    const body = (await readAll(response.body, maxErrorBytes)).toString()
    throw parseRegistryError(response.status, body, `${request.method ?? 'GET'} ${url}`)
  }

  #withHeaders(request: WebRequest): WebRequest {
    const headers: OutgoingHttpHeaders = { 'User-Agent': 'dinghy', ...request.headers }
    if (this.#authorization) headers['Authorization'] = this.#authorization
    const { timeoutMs } = this.#options
    return { ...request, headers, ...(timeoutMs !== undefined ? { timeoutMs } : {}) }
  }

  /** Asks the registry how it wants to be spoken to, before any body is sent. */
  async #authenticate(signal?: AbortSignal): Promise<void> {
    const { credentials } = this.#options
    if (credentials?.registrytoken) {
      this.#authorization = `Bearer ${credentials.registrytoken}`
      return
    }
    const response = await webRequest(this.#base, this.#withHeaders({}), signal)
    response.body.resume()
    const challenge = parseChallenge(response.headers['www-authenticate'])
    if (response.status !== 401 || !challenge) this.#authorization = ''
    else if (challenge.scheme === 'basic') this.#authorization = credentials ? basic(credentials) : ''
    else this.#authorization = `Bearer ${await this.#token(challenge.parameters, signal)}`
  }

  async #token(challenge: Record<string, string>, signal?: AbortSignal): Promise<string> {
    const { credentials, actions } = this.#options
    const url = new URL(challenge['realm'] ?? '')
    const fields = { service: challenge['service'] ?? '', scope: `repository:${this.#repository}:${actions}` }
    let request: WebRequest
    if (credentials?.identitytoken) {
      const form = {
        ...fields,
        grant_type: 'refresh_token',
        refresh_token: credentials.identitytoken,
        client_id: 'dinghy',
      }
      const body = Buffer.from(new URLSearchParams(form).toString())
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length }
      request = { method: 'POST', headers, body }
    } else {
      for (const [name, value] of Object.entries(fields)) if (value !== '') url.searchParams.set(name, value)
      request = { headers: credentials ? { Authorization: basic(credentials) } : {} }
    }
    const response = await webRequest(url.href, request, signal)
    const text = (await readAll(response.body, maxErrorBytes)).toString()
    if (response.status >= 400) throw parseRegistryError(response.status, text, `token from ${url.host}`)
    const { token, access_token: accessToken } = JSON.parse(text) as { token?: string; access_token?: string }
    const value = token ?? accessToken
    if (value === undefined) throw parseRegistryError(401, '', `token from ${url.host}`)
    return value
  }

  #locationOf(response: WebResponse): string {
    return new URL(response.headers.location ?? '', response.url).href
  }
}

/** Docker Hub's API does not live under the name that images carry. */
export function registryUrl(domain: string): string {
  if (domain === 'docker.io') return 'https://registry-1.docker.io'
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(domain)
  return `${isLocal ? 'http' : 'https'}://${domain}`
}

/** `Bearer realm="…",service="…"`. */
export function parseChallenge(
  header: string | undefined,
): { scheme: 'basic' | 'bearer'; parameters: Record<string, string> } | undefined {
  const scheme = /^(bearer|basic)\b/i.exec(header ?? '')?.[1]?.toLowerCase()
  if (scheme !== 'bearer' && scheme !== 'basic') return undefined
  const pairs = [...(header ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
    name.toLowerCase(),
    value,
  ])
  return { scheme, parameters: Object.fromEntries(pairs) as Record<string, string> }
}

function basic({ username = '', password = '' }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
