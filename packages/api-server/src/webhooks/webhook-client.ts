/**
 * Asks a webhook: POSTs JSON to an https URL, or to a Service of the cluster, and returns the JSON that comes back.
 * Admission and the conversion of custom resources ask this way.
 *
 * A Service is reached at one of its ready endpoints, because the addresses of Services are the proxies' business;
 * the certificate is checked for NAME.NAMESPACE.svc all the same. Errors are worded as Go's client words them, since
 * that is what people search for.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { type ClientTls, httpRequest, readBytes, TimeoutError } from '@dinghy/shared/http/client'

/** As webhook configurations and CustomResourceDefinitions hold it. */
export interface WebhookAddress {
  url?: string
  service?: { namespace?: string; name?: string; path?: string; port?: number }
  /** PEM in base64; without it, this machine's own roots are trusted. */
  caBundle?: string
}

export interface WebhookClientDeps {
  clock: Clock
  /** Throws a StatusError if the Service is not there or has no endpoint. */
  locateService(namespace: string, name: string, port: number): { host: string; port: number }
}

/** `message` is what follows "failed to call webhook: ". */
export class WebhookCallError extends Error {
  override readonly name = 'WebhookCallError'
}

/** Larger than any object can be, with room for its patch. */
const maxAnswerBytes = 16 * 1024 * 1024
const maxKeptTls = 100

export class WebhookClient {
  readonly #deps: WebhookClientDeps
  /** Connections are kept by the identity of what they trust. */
  readonly #tls = new Map<string, ClientTls>()

  constructor(deps: WebhookClientDeps) {
    this.#deps = deps
  }

  /** Throws WebhookCallError. */
  async post(address: WebhookAddress, body: object, timeoutMs: number, signal?: AbortSignal): Promise<unknown> {
    const query = `?timeout=${Math.ceil(timeoutMs / 1000)}s`
    const target = this.#locate(address, query)
    const { clock } = this.#deps
    const timeout = new AbortController()
    const timer = clock.setTimeout(() => timeout.abort(new TimeoutError('context deadline exceeded')), timeoutMs)
    try {
      const response = await httpRequest(
        {
          method: 'POST',
          url: { origin: target.origin, path: target.path },
          headers: { 'content-type': 'application/json', accept: 'application/json', host: target.hostHeader },
          body: JSON.stringify(body),
          tls: this.#tlsOf(target.servername, address.caBundle),
          headersTimeoutMs: 0,
        },
        signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal,
      )
      const text = (await readBytes(response, maxAnswerBytes)).toString()
      if (response.status >= 400) throw new WebhookCallError(refusal(response.status, text))
      return parse(text)
    } catch (error) {
      if (error instanceof WebhookCallError) throw error
      throw new WebhookCallError(`Post ${JSON.stringify(target.shown)}: ${goWords(error, target.origin)}`, {
        cause: error,
      })
    } finally {
      clock.clear(timer)
    }
  }

  #locate({ url, service }: WebhookAddress, query: string): Target {
    if (url !== undefined) {
      const { origin, pathname, hostname, host } = new URL(url)
      const servername = hostname.replace(/^\[|\]$/g, '')
      const path = pathname + query
      return { origin, path, shown: origin + path, hostHeader: host, servername }
    }
    const { namespace = '', name = '', path = '', port = 443 } = service ?? {}
    const servername = `${name}.${namespace}.svc`
    const rooted = `${path.startsWith('/') ? '' : '/'}${path}${query}`
    const shown = `https://${servername}:${port}${rooted}`
    try {
      const endpoint = this.#deps.locateService(namespace, name, port)
      const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
      return {
        origin: `https://${host}:${endpoint.port}`,
        path: rooted,
        shown,
        hostHeader: `${servername}:${port}`,
        servername,
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      throw new WebhookCallError(`Post ${JSON.stringify(shown)}: ${problem}`, { cause: error })
    }
  }

  #tlsOf(servername: string, caBundle: string | undefined): ClientTls {
    const key = `${servername} ${caBundle ?? ''}`
    const kept = this.#tls.get(key)
    if (kept) return kept
    if (this.#tls.size >= maxKeptTls) this.#tls.clear()
    const ca = caBundle ? { ca: Buffer.from(caBundle, 'base64') } : {}
    // A name for SNI must not be an address.
    const isAddress = /^[\d.]+$|:/.test(servername)
    const made: ClientTls = { ...ca, ...(isAddress ? {} : { servername }) }
    this.#tls.set(key, made)
    return made
  }
}

interface Target {
  origin: string
  path: string
  /** As errors show it. */
  shown: string
  hostHeader: string
  servername: string
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new WebhookCallError(`couldn't get version/kind; json parse error: ${(cause as Error).message}`, { cause })
  }
}

/** client-go's words for an answer that is no Status. */
function refusal(status: number, body: string): string {
  switch (status) {
    case 401:
      return 'the server has asked for the client to provide credentials'
    case 403:
      return 'forbidden: the server does not allow access to the requested resource'
    case 404:
      return 'the server could not find the requested resource'
    case 405:
      return 'the server does not allow this method on the requested resource'
    case 500:
      return `an error on the server (${JSON.stringify(body || 'unknown')}) has prevented the request from succeeding`
    case 503:
      return 'the server is currently unable to handle the request'
    default:
      return `the server responded with the status code ${status} but did not return more information`
  }
}

const unknownAuthority = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
])

function goWords(error: unknown, origin: string): string {
  const { code = '', message } = error as { code?: string; message: string }
  const { host, hostname } = new URL(origin)
  if (error instanceof TimeoutError) return 'context deadline exceeded'
  if (unknownAuthority.has(code)) {
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority'
  }
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${host}: connect: connection refused`
    case 'EHOSTUNREACH':
      return `dial tcp ${host}: connect: no route to host`
    case 'ENOTFOUND':
      return `dial tcp: lookup ${hostname}: no such host`
    case 'ECONNRESET':
      return 'EOF'
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: x509: ${message}`
    default:
      return message
  }
}
