/**
 * Questions about the rest of the world: handed to the machine's name servers, and their answers remembered.
 *
 * A name server that does not answer is left alone for a while, and meanwhile the answer is "server failure" at once:
 * on a machine without a network a program in a pod must not wait for every name that it looks up.
 */

import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Clock } from '../api/clock.ts'
import { messageOf } from '../api/message-of.ts'
import type { Logger } from '../process/logger.ts'
import { codes, decoded } from './reply.ts'

export interface ForwarderOptions {
  /** The name servers of each domain; those of "" for all the rest. Addresses, with port 53 if none is said. */
  upstreams: ReadonlyMap<string, string[]>
  clock: Clock
  log: Logger
}

const timeoutMs = 2_000
const restMs = 10_000
const mostCached = 10_000
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

  constructor(options: ForwarderOptions) {
    this.#options = options
  }

  /** The answer with the id of the question; undefined if nobody answers. `key` tells questions apart. */
  async ask(query: Buffer, name: string, key: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const { clock } = this.#options
    const cached = this.#cache.get(key)
    if (cached && cached.untilMs > clock.now()) return answerFrom(cached, query, clock.now())
    const reply = await this.#askInTurn(query, this.#upstreamsFor(name), signal)
    if (reply) this.#remember(key, reply)
    return reply
  }

  #upstreamsFor(name: string): string[] {
    const domains = [...this.#options.upstreams.keys()]
      .filter((domain) => domain === '' || name === domain || name.endsWith(`.${domain}`))
      .sort((a, b) => b.length - a.length)
    return this.#options.upstreams.get(domains[0] ?? '') ?? []
  }

  async #askInTurn(query: Buffer, upstreams: string[], signal: AbortSignal): Promise<Buffer | undefined> {
    const { clock, log } = this.#options
    const rested = upstreams.filter((upstream) => (this.#resting.get(upstream) ?? 0) <= clock.now())
    for (const upstream of rested) {
      try {
        const reply = await askByUdp(query, upstream, clock, signal)
        return isTruncated(reply) ? await askByTcp(query, upstream, clock, signal) : reply
      } catch (error) {
        if (signal.aborted) throw error
        log.debug({ upstream, reason: messageOf(error) }, 'a name server does not answer')
        this.#resting.set(upstream, clock.now() + restMs)
      }
    }
    return undefined
  }

  #remember(key: string, reply: Buffer): void {
    const packet = decoded(reply)
    // Only what is known, and that something is not there: a failure may be over in a moment.
    if (!packet || ![codes.noError, codes.nameError].includes((packet.flags ?? 0) & 0x0f)) return
    const ttls = (packet.answers ?? []).flatMap((record) => ('ttl' in record ? (record.ttl ?? 0) : []))
    const ttl = Math.min(longestTtl, ttls.length > 0 ? Math.min(...ttls) : negativeTtl)
    if (ttl <= 0) return
    const [oldest] = this.#cache.keys()
    if (this.#cache.size >= mostCached && oldest !== undefined) this.#cache.delete(oldest)
    const now = this.#options.clock.now()
    this.#cache.set(key, { reply, ttlOffsets: ttlOffsets(reply), keptAtMs: now, untilMs: now + ttl * 1000 })
  }
}

/** With the id of this question, and its records as much older as they are. */
function answerFrom({ reply, ttlOffsets: offsets, keptAtMs }: Cached, query: Buffer, now: number): Buffer {
  const answer = Buffer.from(reply)
  answer.writeUInt16BE(query.readUInt16BE(0), 0)
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
      socket.connect(port, host, () => socket.send(query))
      socket.on('message', (reply) => {
        // Somebody else's guess at an answer has another id.
        if (reply.length >= 12 && reply.readUInt16BE(0) === query.readUInt16BE(0)) resolve(reply)
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
        if (received.length >= length + 2) resolve(received.subarray(2, length + 2))
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
      const timer = clock.setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
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
