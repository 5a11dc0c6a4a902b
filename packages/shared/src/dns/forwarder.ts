/**
 * Questions about the rest of the world: handed to the machine's name servers, and their answers remembered.
 *
 * A name server that does not answer is left alone for a while, and meanwhile the answer is "server failure" at once:
 * on a machine without a network a program in a pod must not wait for every name that it looks up. Silent is who
 * answers nothing at all: a single name may be slow because somebody far away wants it to be.
 *
 * Whoever asks can be hostile to the others who are answered from the same memory. So each question goes out as one of
 * ours (a fresh id, recursion wanted) and only an answer to that very question is taken; how many are under way, and
 * how much is remembered, is bounded.
 */

import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { encode, type Packet, RECURSION_DESIRED } from 'dns-packet'
import type { Clock } from '../api/clock.ts'
import { messageOf } from '../api/message-of.ts'
import type { Logger } from '../process/logger.ts'
import { codes, decoded, ednsRecord, type Query } from './reply.ts'

export interface ForwarderOptions {
  /** The name servers of each domain; those of "" for all the rest. Addresses, with port 53 if none is said. */
  upstreams: ReadonlyMap<string, string[]>
  clock: Clock
  log: Logger
}

const timeoutMs = 2_000
/** After this long without an answer the name server is asked something that it knows. */
const doubtMs = 1_000
const restMs = 10_000
const mostCached = 10_000
/** What is longer is asked for again. */
const longestCached = 1232
const mostUnderWay = 400
const longestTtl = 3600
const negativeTtl = 5

interface Cached {
  reply: Buffer
  /** Where the times to live of its records stand. */
  ttlOffsets: number[]
  keptAtMs: number
  untilMs: number
}

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #cache = new Map<string, Cached>()
  /** Until when a name server is not asked. */
  readonly #resting = new Map<string, number>()
  /** When it said something last. */
  readonly #heardMs = new Map<string, number>()
  readonly #doubted = new Set<string>()
  #underWay = 0

  constructor(options: ForwarderOptions) {
    this.#options = options
  }

  /** The answer with the id of the question; undefined if nobody answers, or too much is under way. */
  async ask(query: Query, signal: AbortSignal): Promise<Buffer | undefined> {
    const { clock } = this.#options
    const { question } = query
    const name = question.name.toLowerCase().replace(/\.$/, '')
    const key = `${name} ${question.type} ${question.class} ${query.hasEdns} ${query.wantsDnssec}`
    const cached = this.#cache.get(key)
    if (cached && cached.untilMs > clock.now()) return answerFrom(cached, query, clock.now())
    if (this.#underWay >= mostUnderWay) return undefined
    this.#underWay += 1
    try {
      const reply = await this.#askInTurn(query, this.#upstreamsFor(name), signal)
      if (!reply) return undefined
      const kept = this.#remember(key, reply)
      return answerFrom(kept, query, kept.keptAtMs)
    } finally {
      this.#underWay -= 1
    }
  }

  #upstreamsFor(name: string): string[] {
    const domains = [...this.#options.upstreams.keys()]
      .filter((domain) => domain === '' || name === domain || name.endsWith(`.${domain}`))
      .sort((a, b) => b.length - a.length)
    return this.#options.upstreams.get(domains[0] ?? '') ?? []
  }

  /** The next one is asked where one fails, as it does not when one says that there is no such name. */
  async #askInTurn(query: Query, upstreams: string[], signal: AbortSignal): Promise<Buffer | undefined> {
    const { clock, log } = this.#options
    const rested = upstreams.filter((upstream) => (this.#resting.get(upstream) ?? 0) <= clock.now())
    let failure: Buffer | undefined
    for (const upstream of rested) {
      const askedMs = clock.now()
      try {
        const reply = await this.#askOne(query, upstream, signal)
        this.#heardMs.set(upstream, clock.now())
        if (![codes.serverFailure, codes.refused].includes(codeOf(reply))) return reply
        failure = reply
      } catch (error) {
        if (signal.aborted) throw error
        log.debug({ upstream, reason: messageOf(error) }, 'a name server does not answer')
        const isSlow = error instanceof NoAnswer && (this.#heardMs.get(upstream) ?? -1) >= askedMs
        if (!isSlow) this.#resting.set(upstream, clock.now() + restMs)
      }
    }
    return failure
  }

  async #askOne(query: Query, upstream: string, signal: AbortSignal): Promise<Buffer> {
    const { clock } = this.#options
    const sent = questionOf(query)
    const doubt = clock.setTimeout(() => void this.#probe(upstream, signal), doubtMs)
    try {
      const reply = await askByUdp(sent, upstream, clock, signal)
      return isTruncated(reply) ? await askByTcp(sent, upstream, clock, signal) : reply
    } finally {
      clock.clear(doubt)
    }
  }

  /** Every name server knows those of the root. */
  async #probe(upstream: string, signal: AbortSignal): Promise<void> {
    if (this.#doubted.has(upstream)) return
    this.#doubted.add(upstream)
    const { clock, log } = this.#options
    try {
      await askByUdp(questionOf({ question: { type: 'NS', name: '.' } }), upstream, clock, signal)
      this.#heardMs.set(upstream, clock.now())
    } catch (error) {
      log.debug({ upstream, reason: messageOf(error) }, 'a name server says nothing at all')
    } finally {
      this.#doubted.delete(upstream)
    }
  }

  #remember(key: string, reply: Buffer): Cached {
    const now = this.#options.clock.now()
    const packet = decoded(reply)
    const ttls = (packet?.answers ?? []).flatMap((record) => ('ttl' in record ? (record.ttl ?? 0) : []))
    const ttl = Math.min(longestTtl, ttls.length > 0 ? Math.min(...ttls) : negativeTtl)
    // Only what is known, and that something is not there: a failure may be over in a moment.
    const isWorthIt = packet && [codes.noError, codes.nameError].includes(codeOf(reply)) && ttl > 0
    const kept = { reply, ttlOffsets: packet ? ttlOffsets(reply) : [], keptAtMs: now, untilMs: now + ttl * 1000 }
    if (!isWorthIt || reply.length > longestCached) return kept
    const [oldest] = this.#cache.keys()
    if (this.#cache.size >= mostCached && oldest !== undefined) this.#cache.delete(oldest)
    // A copy: the answer may be a small part of what was read from a connection.
    this.#cache.set(key, { ...kept, reply: Buffer.from(reply) })
    return kept
  }
}

class NoAnswer extends Error {}

/** In the words of whoever asked, with an id that nobody else knows. */
function questionOf(query: Pick<Query, 'question'> & Partial<Query>): Buffer {
  const packet: Packet = {
    type: 'query',
    id: randomInt(0x1_0000),
    flags: RECURSION_DESIRED,
    questions: [query.question],
    additionals: query.hasEdns ? [ednsRecord(query.wantsDnssec ?? false)] : [],
  }
  return encode(packet)
}

/** Whether these bytes answer this question: its id, and its name in whatever case. */
function isReplyTo(sent: Buffer, reply: Buffer): boolean {
  if (reply.length < 12 || reply.readUInt16BE(0) !== sent.readUInt16BE(0) || (reply.readUInt8(2) & 0x80) === 0) {
    return false
  }
  // Some repeat no question when they refuse it.
  if (reply.readUInt16BE(4) === 0) return codeOf(reply) !== codes.noError && codeOf(reply) !== codes.nameError
  const end = endOfName(sent, 12) + 4
  const text = (message: Buffer) => message.toString('latin1', 12, end).toLowerCase()
  return reply.length >= end && text(sent) === text(reply)
}

function codeOf(reply: Buffer): number {
  return reply.readUInt8(3) & 0x0f
}

/** With the id and the spelling of this question, and its records as much older as they are. */
function answerFrom({ reply, ttlOffsets: offsets, keptAtMs }: Cached, query: Query, now: number): Buffer {
  const answer = Buffer.from(reply)
  answer.writeUInt16BE(query.id, 0)
  if (answer.readUInt16BE(4) === 1) encode({ type: 'query', questions: [query.question] }).copy(answer, 12, 12)
  const age = Math.floor((now - keptAtMs) / 1000)
  for (const offset of offsets) answer.writeUInt32BE(Math.max(0, answer.readUInt32BE(offset) - age), offset)
  return answer
}

/** Where the times to live of all records but EDNS's stand (RFC 1035, section 4.1). */
export function ttlOffsets(message: Buffer): number[] {
  const [questions, ...records] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at))
  let offset = 12
  for (let i = 0; i < (questions ?? 0); i++) offset = endOfName(message, offset) + 4
  const offsets: number[] = []
  for (let i = 0; i < records.reduce((sum, one) => sum + one, 0); i++) {
    const start = endOfName(message, offset)
    if (message.readUInt16BE(start) !== 41) offsets.push(start + 4)
    offset = start + 10 + message.readUInt16BE(start + 8)
  }
  return offsets
}

function endOfName(message: Buffer, start: number): number {
  for (let offset = start; ; offset += 1 + message.readUInt8(offset)) {
    const length = message.readUInt8(offset)
    if (length === 0) return offset + 1
    // A pointer to a name that has been written before ends this one.
    if (length >= 0xc0) return offset + 2
  }
}

function isTruncated(reply: Buffer): boolean {
  return (reply.readUInt16BE(2) & 0x0200) !== 0
}

function addressOf(upstream: string): { host: string; port: number } {
  const match = /^(.*[^:]):(\d+)$/.exec(upstream)
  return match && !isIPv6(upstream) ? { host: match[1] ?? '', port: Number(match[2]) } : { host: upstream, port: 53 }
}

async function askByUdp(query: Buffer, upstream: string, clock: Clock, signal: AbortSignal): Promise<Buffer> {
  const { host, port } = addressOf(upstream)
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  return await withinTime(
    clock,
    signal,
    () => socket.close(),
    (resolve, reject) => {
      socket.on('error', reject)
      // Not by a callback, which would be given the error of a machine without a way there.
      socket.on('connect', () => socket.send(query))
      socket.connect(port, host)
      socket.on('message', (reply) => {
        if (isReplyTo(query, reply)) resolve(reply)
      })
    },
  )
}

async function askByTcp(query: Buffer, upstream: string, clock: Clock, signal: AbortSignal): Promise<Buffer> {
  const { host, port } = addressOf(upstream)
  const socket = connect({ host, port })
  return await withinTime(
    clock,
    signal,
    () => socket.destroy(),
    (resolve, reject) => {
      let received = Buffer.alloc(0)
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('closed before it had answered')))
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        const length = received.length >= 2 ? received.readUInt16BE(0) : Infinity
        if (received.length < length + 2) return
        const reply = received.subarray(2, length + 2)
        if (isReplyTo(query, reply)) resolve(reply)
        else reject(new Error('answered something else'))
      })
      socket.write(Buffer.concat([lengthPrefix(query), query]))
    },
  )
}

export function lengthPrefix(message: Buffer): Buffer {
  const prefix = Buffer.alloc(2)
  prefix.writeUInt16BE(message.length)
  return prefix
}

async function withinTime(
  clock: Clock,
  signal: AbortSignal,
  end: () => void,
  ask: (resolve: (reply: Buffer) => void, reject: (error: Error) => void) => void,
): Promise<Buffer> {
  const cleanUp = [end]
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      const abort = () => reject(signal.reason as Error)
      signal.addEventListener('abort', abort, { once: true })
      const timer = clock.setTimeout(() => reject(new NoAnswer(`no answer within ${timeoutMs} ms`)), timeoutMs)
      cleanUp.push(
        () => signal.removeEventListener('abort', abort),
        () => clock.clear(timer),
      )
      ask(resolve, reject)
    })
  } finally {
    for (const act of cleanUp) act()
  }
}
