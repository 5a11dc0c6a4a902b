/**
 * One request and its answer, as they pass through the pipeline; each stage adds what it found out.
 */

import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Status } from '@dinghy/shared/api/errors'
import { readBody } from '@dinghy/shared/http/body'
import type { HttpServer } from '@dinghy/shared/http/server'
import { type Upgrade, upgradeOf } from '@dinghy/shared/http/upgrade'
import type { Audit } from '../audit/auditor.ts'
import { actorOf } from '../auth/actor.ts'
import type { UserInfo } from '../auth/user.ts'
import type { Ticket } from '../flow-control/flow-controller.ts'
import { admin } from '../auth/user.ts'
import type { WriteContext } from '../registry/write-context.ts'
import type { RequestInfo } from './request-info.ts'
import { requestInfo } from './request-info.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Made by the first stage; every later one finds it. */
    exchange: Exchange
  }
}

/** As large as upstream lets a body be. */
export const maxBodyBytes = 3 * 1024 * 1024

export class Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly query: URLSearchParams
  readonly info: RequestInfo
  /** Shown to the client as Warning headers. */
  readonly warnings: string[] = []
  readonly auditId: string
  /** Its seat, while it has one. */
  ticket: Ticket | undefined
  user: UserInfo = admin
  /** Set if this request is written down. */
  audit: Audit | undefined
  /** What a client was told that was refused, as far as the audit needs it. */
  refusal: Status | undefined
  readonly #server: HttpServer
  #signal: AbortSignal | undefined

  constructor(request: FastifyRequest, reply: FastifyReply, server: HttpServer) {
    this.request = request
    this.reply = reply
    this.#server = server
    // Fastify parses the query itself where no route matches.
    const { query, url } = request
    this.query = query instanceof URLSearchParams ? query : new URLSearchParams(url.split('?')[1] ?? '')
    this.info = requestInfo(request, this.query)
    const auditId = request.headers['audit-id']
    this.auditId = typeof auditId === 'string' && auditId !== '' ? auditId : randomUUID()
  }

  /** Set if the client wants to leave HTTP (exec, attach, port-forward). */
  get upgrade(): Upgrade | undefined {
    return upgradeOf(this.request.raw)
  }

  /** Aborted when the client is gone or the server stops. Made when first asked for: only lasting requests need it. */
  get signal(): AbortSignal {
    return (this.#signal ??= this.#server.signalOf(this.request, this.reply))
  }

  /** A query parameter; an empty one counts as absent. */
  parameter(name: string): string | undefined {
    return this.query.get(name) || undefined
  }

  async body(): Promise<Buffer> {
    const body = await readBody(this.request.raw, maxBodyBytes)
    // Patches and options; whatever is decoded into an object is told as that.
    if (this.audit?.wants('Request') && body.subarray(0, 1).toString().match(/[{[]/)) this.audit.received(parsed(body))
    return body
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
      annotate: (key, value) => this.audit?.annotate(key, value),
    }
  }
}

/** Undefined for what is not JSON, about which decoding will have its say. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
