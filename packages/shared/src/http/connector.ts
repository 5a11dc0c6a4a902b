/**
 * How the client opens its connections. On TLS the first connection to a server brings a session, and all later ones
 * resume it: a handshake with certificates on both sides takes the two processes 5 ms of processor time, a resumed one
 * less than 2, and a component opens as many connections as it has watches, all at once when it starts.
 *
 * So the others wait until the first has brought its session. That is a matter of milliseconds; a server that gives no
 * sessions keeps those who came together waiting for `patienceMs`.
 */

import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import buildConnector from 'undici/lib/core/connect.js'
import { systemClock, type Timer } from '../api/clock.ts'
import type { ClientTls } from './client-tls.ts'
import { contextWithExtraAuthorities } from './extra-authorities.ts'

type Connect = ReturnType<typeof buildConnector>
type Open = (session: Buffer | undefined) => Socket

/** Peers whose sessions are kept, of each identity. The oldest is forgotten. */
const keptSessions = 100
const patienceMs = 100

export function connector(origin: string, socketPath: string | undefined, tls: ClientTls = {}): Connect {
  const path = socketPath === undefined ? {} : { socketPath }
  if (!origin.startsWith('https:')) return buildConnector(path)
  const identity = identityOf(tls)
  return (options, callback) => {
    const open: Open = (session) => {
      const { servername, rejectUnauthorized = true } = tls
      const { secureContext } = identity
      const made = buildConnector({
        ...path,
        secureContext,
        rejectUnauthorized,
        ...(servername === undefined ? {} : { servername }),
        ...(session ? { session } : {}),
      })
      // undici answers with the socket that it has just begun to connect.
      return made(options, callback) as unknown as Socket
    }
    identity.sessions.connect(`${options.protocol}//${options.hostname}:${options.port}`, open)
    return undefined
  }
}

interface Identity {
  /** Reading certificates and keys takes longer than all else that the client does for a connection. */
  secureContext: SecureContext
  sessions: Sessions
}

const identities = new WeakMap<ClientTls, Identity>()

function identityOf(tls: ClientTls): Identity {
  const known = identities.get(tls)
  if (known) return known
  // Loaded when it is needed: not every process speaks TLS.
  const { createSecureContext } = process.getBuiltinModule('node:tls')
  const { ca, cert, key } = tls
  const own = { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) }
  const secureContext = contextWithExtraAuthorities(tls) ?? createSecureContext(own)
  const identity = { secureContext, sessions: new Sessions() }
  identities.set(tls, identity)
  return identity
}

/** The newest session of each peer, and who waits for its first. */
class Sessions {
  readonly #newest = new Map<string, Buffer>()
  readonly #waiting = new Map<string, (() => unknown)[]>()

  connect(peer: string, open: Open): void {
    const waiting = this.#waiting.get(peer)
    if (this.#newest.has(peer)) this.#start(peer, open)
    else if (waiting) waiting.push(() => this.#start(peer, open))
    else this.#startFirst(peer, open)
  }

  #startFirst(peer: string, open: Open): void {
    this.#waiting.set(peer, [])
    let patience: Timer | undefined
    const release = () => {
      systemClock.clear(patience)
      const waiting = this.#waiting.get(peer) ?? []
      this.#waiting.delete(peer)
      for (const go of waiting) go()
    }
    const socket = this.#start(peer, open)
    socket.once('session', release).once('close', release)
    socket.once('secureConnect', () => (patience = systemClock.setTimeout(release, patienceMs)))
  }

  #start(peer: string, open: Open): Socket {
    const session = this.#newest.get(peer)
    const socket = open(session)
    socket.on('session', (brought: Buffer) => this.#keep(peer, brought))
    // Whatever went wrong, the next connection shall not fail for the same reason.
    socket.once('error', () => {
      if (session && this.#newest.get(peer) === session) this.#newest.delete(peer)
    })
    return socket
  }

  #keep(peer: string, session: Buffer): void {
    this.#newest.delete(peer)
    const [oldest] = this.#newest.keys()
    if (oldest !== undefined && this.#newest.size >= keptSessions) this.#newest.delete(oldest)
    this.#newest.set(peer, session)
  }
}
