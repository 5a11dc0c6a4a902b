/**
 * Messages of DNS on the wire: from a question to the bytes of an answer. Pure; RFC 1035, EDNS by RFC 6891.
 */

import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  type DecodedPacket,
  DNSSEC_OK,
  encode,
  type OptAnswer,
  type Packet,
  type Question,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet'

export const codes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 }

export interface Query {
  id: number
  flags: number
  question: Question
  /** How large a UDP answer may be. */
  udpSize: number
  hasEdns: boolean
  /** The bit DO of EDNS. */
  wantsDnssec: boolean
}

/** Undefined for what is no question, or cannot be read: nobody answers that. */
export function readQuery(bytes: Buffer): Query | undefined {
  const packet = decoded(bytes)
  if (packet?.type !== 'query' || packet.questions?.length !== 1) return undefined
  const [question] = packet.questions
  if (!question) return undefined
  const edns = packet.additionals?.find((record) => record.type === 'OPT')
  const udpSize = edns ? Math.max(512, edns.udpPayloadSize) : 512
  // A name that is no text would not come out as it went in.
  if (question.name.includes('\ufffd')) return undefined
  const { id = 0, flags = 0 } = packet
  return { id, flags, question, udpSize, hasEdns: edns !== undefined, wantsDnssec: edns?.flag_do ?? false }
}

export function decoded(bytes: Buffer): DecodedPacket | undefined {
  try {
    return decode(bytes)
  } catch {
    // Whatever arrives on a UDP port: it need not be a message at all.
    return undefined
  }
}

export function ednsRecord(wantsDnssec: boolean): OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: wantsDnssec ? DNSSEC_OK : 0,
    flag_do: wantsDnssec,
    options: [],
  }
}

export interface ReplyContent {
  code?: number
  answers?: Answer[]
  authorities?: Answer[]
  additionals?: Answer[]
  isAuthoritative?: boolean
}

export function makeReply(query: Query, content: ReplyContent): Buffer {
  const { code = codes.noError, answers = [], authorities = [], additionals = [], isAuthoritative = false } = content
  const edns = query.hasEdns ? [ednsRecord(false)] : []
  const packet: Packet = {
    type: 'response',
    id: query.id,
    flags:
      (query.flags & RECURSION_DESIRED) | RECURSION_AVAILABLE | (isAuthoritative ? AUTHORITATIVE_ANSWER : 0) | code,
    questions: [query.question],
    answers,
    authorities,
    additionals: [...additionals, ...edns],
  }
  return encode(packet)
}

/**
 * What does not fit is left out, and the client asks again by TCP. As many addresses as fit stay in: some clients know
 * no TCP.
 */
export function fitToUdp(query: Query, reply: Buffer): Buffer {
  if (reply.length <= query.udpSize) return reply
  const answers = decoded(reply)?.answers?.filter(({ type }) => ['A', 'AAAA', 'CNAME'].includes(type)) ?? []
  let short = makeReply(query, {})
  for (let fitting = answers.length; fitting > 0; fitting--) {
    const shorter = makeReply(query, { answers: answers.slice(0, fitting) })
    if (shorter.length > query.udpSize) continue
    short = shorter
    break
  }
  short.writeUInt16BE(short.readUInt16BE(2) | (reply.readUInt16BE(2) & 0x0f) | TRUNCATED_RESPONSE, 2)
  return short
}

/** The start of authority of a domain: for how long a client may remember that there is nothing. */
export function startOfAuthority(domain: string, ttl: number): Answer {
  return {
    name: domain,
    type: 'SOA',
    ttl,
    data: {
      mname: `ns.dns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: ttl,
    },
  }
}
