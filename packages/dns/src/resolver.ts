/**
 * From the bytes of a question to the bytes of an answer: the cluster's own names first, the rest of the world by way
 * of the forwarder.
 */

import type { RecordType } from 'dns-packet'
import type { Metrics } from '@dinghy/shared/process/metrics'
import type { Forwarder } from '@dinghy/shared/dns/forwarder'
import {
  codes,
  decoded,
  makeReply,
  readQuery,
  type Query,
  type ReplyContent,
  startOfAuthority,
} from '@dinghy/shared/dns/reply'
import { type ClusterView, lookUp, type Zone } from './zone.ts'

export interface ResolverDeps {
  zone: Zone
  cluster: ClusterView
  forwarder: Pick<Forwarder, 'ask'>
  metrics: Metrics
  signal: AbortSignal
}

/** How long, in seconds, a client may remember that a name is not there: a Service may come at any moment. */
const negativeTtl = 5

export class Resolver {
  readonly #deps: ResolverDeps
  readonly #count: (labels: Record<string, string>) => void

  constructor(deps: ResolverDeps) {
    this.#deps = deps
    const requests = deps.metrics.counter('coredns_dns_requests_total', 'Questions by type and answer.', [
      'type',
      'rcode',
    ])
    this.#count = (labels) => requests.inc(labels)
  }

  /** The answer as it goes over TCP, and the question; undefined where there is nothing to answer to. */
  async answer(bytes: Buffer): Promise<{ query: Query; reply: Buffer } | undefined> {
    const query = readQuery(bytes)
    if (!query) return undefined
    const reply = await this.#replyTo(query)
    const code = reply.readUInt16BE(2) & 0x0f
    this.#count({ type: query.question.type, rcode: codeNames[code] ?? String(code) })
    return { query, reply }
  }

  async #replyTo(query: Query): Promise<Buffer> {
    const { zone, cluster, forwarder, signal } = this.#deps
    const { name, type } = query.question
    const asked = name.toLowerCase().replace(/\.$/, '')
    const outcome = lookUp(asked, type, zone, cluster)
    if (outcome === 'elsewhere') {
      const found = await forwarder.ask(query, signal)
      return found ?? makeReply(query, { code: codes.serverFailure })
    }
    const authorities = [startOfAuthority(zone.domain, negativeTtl)]
    if (outcome === 'no such name') {
      return makeReply(query, { code: codes.nameError, authorities, isAuthoritative: true })
    }
    const content: ReplyContent = { ...outcome, isAuthoritative: true }
    const [first] = outcome.answers
    if (!first) return makeReply(query, { ...content, authorities })
    // The client wants the address that an ExternalName leads to, not only its name.
    if (first.type === 'CNAME' && type !== 'CNAME') return await this.#followed(query, content, first.data, type)
    return makeReply(query, { ...content, answers: spread(outcome.answers) })
  }

  async #followed(query: Query, content: ReplyContent, target: string, type: RecordType): Promise<Buffer> {
    const { zone, cluster, forwarder, signal } = this.#deps
    const asked = target.toLowerCase().replace(/\.$/, '')
    const outcome = lookUp(asked, type, zone, cluster)
    if (typeof outcome === 'object') {
      return makeReply(query, { ...content, answers: [...(content.answers ?? []), ...outcome.answers] })
    }
    if (outcome === 'no such name') return makeReply(query, content)
    const question = { type, name: asked, class: query.question.class }
    const found = await forwarder.ask({ ...query, question, hasEdns: false }, signal)
    const answers = (found && decoded(found)?.answers) ?? []
    return makeReply(query, { ...content, answers: [...(content.answers ?? []), ...answers] })
  }
}

const codeNames = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

/** Many clients take the first address: let it be another one each time, as CoreDNS' loadbalance plugin does. */
function spread<T>(answers: T[]): T[] {
  const start = Math.floor(Math.random() * answers.length)
  return [...answers.slice(start), ...answers.slice(0, start)]
}
