/**
 * One request and its answer, as they pass through the pipeline; each stage adds what it found out.
 */

import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { actorOf } from '../auth/actor.ts'
import type { UserInfo } from '../auth/user.ts'
import { admin } from '../auth/user.ts'
import type { WriteContext } from '../registry/write-context.ts'
import type { RequestInfo } from './request-info.ts'
import { parseRequestInfo } from './request-info.ts'

export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly query: URLSearchParams
  readonly info: RequestInfo
  /** Shown to the client as Warning headers. */
  readonly warnings: string[] = []
  readonly auditId: string
  /** Set if the client wants to leave HTTP (exec, attach, port-forward): its raw connection. */
  readonly upgrade: { socket: Duplex; head: Buffer } | undefined
  user: UserInfo = admin
  readonly #stopping: AbortSignal
  #signal: AbortSignal | undefined

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    stopping: AbortSignal,
    upgrade?: { socket: Duplex; head: Buffer },
  ) {
    this.request = request
    this.response = response
    this.upgrade = upgrade
    // The client's Host was checked before; nothing of it may show up in what we read from the URL.
    this.url = new URL(request.url?.startsWith('/') ? `http://localhost${request.url}` : 'http://localhost/')
    this.query = this.url.searchParams
    this.info = parseRequestInfo(request.method ?? 'GET', this.url)
    const auditId = request.headers['audit-id']
    this.auditId = typeof auditId === 'string' && auditId !== '' ? auditId : randomUUID()
    this.#stopping = stopping
  }

  /** Aborted when the client is gone or the server stops. Made when first asked for: only lasting requests need it. */
  get signal(): AbortSignal {
    return (this.#signal ??= AbortSignal.any([this.#stopping, closeSignal(this.response)]))
  }

  /** A query parameter; an empty one counts as absent. */
  parameter(name: string): string | undefined {
    return this.query.get(name) || undefined
  }

  /** What a write by this request carries. */
  writeContext(dryRun: boolean): WriteContext {
    const fieldManager = this.parameter('fieldManager')
    const cause = Number(this.request.headers['x-dinghy-cause'])
    return {
      user: this.user,
      actor: actorOf(this.request.headers['user-agent'], fieldManager),
      cause: Number.isInteger(cause) && cause > 0 ? cause : undefined,
      dryRun,
      fieldManager,
      warn: (message) => this.warnings.push(message),
    }
  }
}

function closeSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  if (response.closed) controller.abort()
  else response.once('close', () => controller.abort())
  return controller.signal
}
