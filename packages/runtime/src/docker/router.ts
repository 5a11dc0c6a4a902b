/**
 * Which handler answers which request. A route is a method and a pattern of raw path segments:
 *
 *   /containers/{id}/start        {id} matches one segment
 *   /images/{name...}/json        {name...} matches one or more segments, because image names hold raw slashes
 *
 * Paths are matched before percent-decoding, each captured piece is decoded afterwards. The `/v1.NN` prefix of
 * the Engine API is optional and is handed to the handler as `request.version`. Of two patterns that both match, the
 * one with more literal segments wins, so `/images/json` is never taken for an image called "json".
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Shape } from './body-shape.ts'

export interface DockerRequest {
  method: string
  /** The path without version prefix and query, undecoded. */
  path: string
  /** `[1, 41]` for /v1.41/…; undefined when the client sent no version. */
  version: [number, number] | undefined
  params: Record<string, string>
  query: URLSearchParams
  headers: IncomingHttpHeaders
  /** The body as it arrives: tar streams, chunked uploads. */
  stream: IncomingMessage
  body(): Promise<Buffer>
  /** The body as JSON; an empty body, or null, gives `{}`. Throws a 400 on malformed JSON and on wrong types. */
  json<T>(shape: Shape): Promise<T>
  /** Aborted when the client goes away. */
  signal: AbortSignal
  /**
   * Takes the connection over: answers 101 UPGRADED (or 200 to clients that asked for no upgrade) and returns the
   * raw socket. Bytes that the client sent early are the first to be read from it.
   */
  hijack(contentType: string): Duplex
}

export type Handler = (request: DockerRequest, response: ServerResponse) => Promise<void> | void

interface Route {
  method: string
  segments: string[]
  handler: Handler
}

export interface Match {
  handler: Handler
  params: Record<string, string>
}

export class Router {
  readonly #routes: Route[] = []

  add(method: string, pattern: string, handler: Handler): void {
    this.#routes.push({ method, segments: pattern.split('/').slice(1), handler })
  }

  /** The best route of `method` for an undecoded path without version prefix, or undefined. */
  match(method: string, path: string): Match | undefined {
    const segments = path.split('/').slice(1)
    let best: { literals: number; match: Match } | undefined
    for (const route of this.#routes) {
      if (route.method !== method) continue
      const params = matchSegments(route.segments, segments)
      if (params === undefined) continue
      const literals = route.segments.filter((segment) => !segment.startsWith('{')).length
      if (best === undefined || literals > best.literals) best = { literals, match: { handler: route.handler, params } }
    }
    return best?.match
  }

  /** Whether any method serves this path: tells 405 from 404. */
  hasPath(path: string): boolean {
    const segments = path.split('/').slice(1)
    return this.#routes.some((route) => matchSegments(route.segments, segments) !== undefined)
  }
}

/** Splits `/v1.41/containers/json` into its version and `/containers/json`. */
export function splitVersion(path: string): { version: [number, number] | undefined; path: string } {
  const match = /^\/v(\d+)\.(\d+)(\/.*)$/.exec(path)
  if (match === null) return { version: undefined, path }
  return { version: [Number(match[1]), Number(match[2])], path: match[3] ?? '/' }
}

/** The captured parameters, or undefined when the path does not fit the pattern. */
export function matchSegments(pattern: string[], path: string[]): Record<string, string> | undefined {
  const [head, ...rest] = pattern
  if (head === undefined) return path.length === 0 ? {} : undefined
  if (head.startsWith('{') && head.endsWith('...}')) {
    const name = head.slice(1, -4)
    // At least one segment, and leave enough for the rest of the pattern: the longest capture wins.
    for (let take = path.length - rest.length; take >= 1; take--) {
      const after = matchSegments(rest, path.slice(take))
      if (after !== undefined) return { [name]: decode(path.slice(0, take).join('/')), ...after }
    }
    return undefined
  }
  const segment = path[0]
  if (segment === undefined) return undefined
  if (head.startsWith('{')) {
    if (segment === '') return undefined
    const after = matchSegments(rest, path.slice(1))
    return after && { [head.slice(1, -1)]: decode(segment), ...after }
  }
  return head === segment ? matchSegments(rest, path.slice(1)) : undefined
}

/** A stray `%` is taken literally, as a name that matches nothing, rather than failing the request. */
function decode(text: string): string {
  return /%(?![0-9a-fA-F]{2})/.test(text) ? text : decodeURIComponent(text)
}

/** Docker's boolean query parameters: absent, empty, "0", "no", "false" and "none" are false. */
export function isTrue(value: string | null): boolean {
  return value !== null && !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase())
}

/** Answers with JSON. The trailing newline is what Docker sends. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length })
  response.end(bytes)
}

export function sendEmpty(response: ServerResponse, status: number): void {
  response.writeHead(status, status === 204 || status === 304 ? {} : { 'Content-Length': 0 })
  response.end()
}
