/**
 * The audit's place in the pipeline: right after authentication, so that it knows who asks and sees all that follows.
 * Somebody whose credentials are not good is audited, too. Without a policy none of these hooks exists.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Status } from '@dinghy/shared/api/errors'
import type { Auditor } from '../audit/auditor.ts'
import type { UserInfo } from '../auth/user.ts'
import { attributesOf } from './access-attributes.ts'
import type { Exchange } from './exchange.ts'

export function beginAudit(auditor: Auditor, exchange: Exchange, user: UserInfo | undefined): void {
  const { info, query, request } = exchange
  const { headers, raw } = request
  const { user: _anybody, ...attributes } = attributesOf(exchange.user, info, query)
  exchange.audit = auditor.begin({
    auditId: exchange.auditId,
    uri: request.originalUrl,
    user,
    attributes,
    sourceIps: sourceIpsOf(headers, raw.socket.remoteAddress),
    userAgent: headers['user-agent'],
  })
  const connection = exchange.upgrade?.socket ?? exchange.reply.raw
  connection.once('close', () => complete(exchange))
}

/** What is sent is seen before it is compressed or made pretty. */
export function watchAnswers(app: FastifyInstance): void {
  app.addHook('onSend', function auditAnswer({ exchange }: FastifyRequest, reply: FastifyReply, payload, done) {
    const { audit } = exchange
    const isBytes = typeof payload === 'string' || Buffer.isBuffer(payload)
    if (audit && !isBytes) audit.started(reply.statusCode)
    const isRead = reply.statusCode >= 400 || audit?.wants('RequestResponse')
    if (audit && isBytes && isRead && String(reply.getHeader('content-type')).startsWith('application/json')) {
      const answer = JSON.parse(String(payload)) as Status | object
      if (reply.statusCode >= 400) exchange.refusal = answer as Status
      audit.answered(answer)
    }
    done(null, payload)
  })
}

function complete({ audit, reply, upgrade, refusal }: Exchange): void {
  // Nobody sets the code of a connection that has left HTTP.
  const code = upgrade && !refusal ? 101 : reply.statusCode
  audit?.completed(code, refusal)
}

/** All but the last may be anything that the client likes to say. */
function sourceIpsOf(headers: FastifyRequest['headers'], remote: string | undefined): string[] {
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().flatMap((text) => text.split(',').map((ip) => ip.trim()))
  const real = [headers['x-real-ip'] ?? []].flat().filter((ip) => !forwarded.includes(ip))
  const named = [...forwarded, ...real].filter(Boolean)
  return remote === undefined || named.at(-1) === remote ? named : [...named, remote]
}
