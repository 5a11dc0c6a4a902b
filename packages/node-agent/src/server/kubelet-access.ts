/**
 * Who may speak to a kubelet server: the API server, and whoever the API server says may. As upstream's kubelet with
 * --anonymous-auth=false, --authentication-token-webhook and --authorization-mode=Webhook:
 *
 *   request ─► client certificate, or token ─► TokenReview ─► SubjectAccessReview ─► its handler
 *                        401                       401               403
 *
 * Reviews are asked of the API server and remembered, for as long as upstream remembers them.
 */

import type { Socket } from 'node:net'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { HttpError } from '@dinghy/shared/http/http-error'
import { readJson } from '@dinghy/shared/http/client'
import { peerOf } from '@dinghy/shared/pki/peer'

export interface KubeletRequest {
  method: string
  /** Without the query. */
  path: string
  authorization: string | undefined
  socket: Socket
}

interface User {
  username?: string
  uid?: string
  groups?: string[]
  extra?: Record<string, string[]>
}

interface Deps {
  client: ApiClient
  clock: Pick<Clock, 'now'>
  node: string
}

const tokenTtlMs = 2 * 60_000
const allowedTtlMs = 5 * 60_000
const deniedTtlMs = 30_000
const rememberedAnswers = 1_000

export class KubeletAccess {
  readonly #deps: Deps
  readonly #tokens: Remembered<User | undefined>
  readonly #decisions: Remembered<boolean>

  constructor(deps: Deps) {
    this.#deps = deps
    this.#tokens = new Remembered(deps.clock)
    this.#decisions = new Remembered(deps.clock)
  }

  /** Throws HttpError: 401 if nobody knows who asks, 403 if that one may not. */
  async check(request: KubeletRequest): Promise<void> {
    const user = this.#userOfCertificate(request.socket) ?? (await this.#userOfToken(request.authorization))
    if (!user) throw new HttpError(401, 'Unauthorized')
    const { verb, subresource } = attributesOf(request)
    if (await this.#isAllowed(user, verb, subresource)) return
    const said = `user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${subresource}]`
    throw new HttpError(403, `Forbidden (${said})`)
  }

  #userOfCertificate(socket: Socket): User | undefined {
    const peer = peerOf(socket)
    if (!peer || this.#deps.clock.now() >= peer.expiresAt) return undefined
    return { username: peer.subject.user, groups: [...peer.subject.groups, 'system:authenticated'] }
  }

  async #userOfToken(authorization: string | undefined): Promise<User | undefined> {
    const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) return undefined
    const ask = async () => {
      const status = await this.#review<{ authenticated?: boolean; user?: User }>(
        'authentication.k8s.io/v1',
        'TokenReview',
        { token },
      )
      return status.authenticated === true ? status.user : undefined
    }
    return await this.#tokens.get(token, ask, () => tokenTtlMs)
  }

  async #isAllowed(user: User, verb: string, subresource: string): Promise<boolean> {
    const { username, ...others } = user
    const resourceAttributes = { version: 'v1', resource: 'nodes', name: this.#deps.node, verb, subresource }
    const spec = { user: username, ...others, resourceAttributes }
    const ask = async () => {
      const kind = 'SubjectAccessReview'
      return (await this.#review<{ allowed?: boolean }>('authorization.k8s.io/v1', kind, spec)).allowed === true
    }
    return await this.#decisions.get(JSON.stringify(spec), ask, (isAllowed) => (isAllowed ? allowedTtlMs : deniedTtlMs))
  }

  async #review<S>(apiVersion: string, kind: string, spec: object): Promise<S> {
    const path = `/apis/${apiVersion}/${kind.toLowerCase()}s`
    const answer = await this.#deps.client.raw('POST', path, { apiVersion, kind, spec })
    return (await readJson<{ status: S }>(answer)).status
  }
}

const verbs: Record<string, string> = { POST: 'create', GET: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }
const subresources: Record<string, string> = {
  stats: 'stats',
  metrics: 'metrics',
  logs: 'log',
  healthz: 'healthz',
  pods: 'pods',
}

/**
 * What a request is about, in the words of roles: nodes/stats, nodes/metrics, nodes/log, nodes/healthz, nodes/pods, and
 * nodes/proxy for all else. Pure.
 */
export function attributesOf({ method, path }: Pick<KubeletRequest, 'method' | 'path'>): {
  verb: string
  subresource: string
} {
  const subresource = subresources[path.split('/')[1] ?? ''] ?? 'proxy'
  return { verb: verbs[method] ?? '', subresource }
}

/** Answers by their questions, each for its own time. Errors are not remembered. */
class Remembered<T> {
  readonly #clock: Pick<Clock, 'now'>
  readonly #answers = new Map<string, { answer: T; until: number }>()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  async get(question: string, ask: () => Promise<T>, ttlMs: (answer: T) => number): Promise<T> {
    const known = this.#answers.get(question)
    if (known && this.#clock.now() < known.until) return known.answer
    const answer = await ask()
    this.#answers.delete(question)
    const [oldest] = this.#answers.keys()
    if (oldest !== undefined && this.#answers.size >= rememberedAnswers) this.#answers.delete(oldest)
    this.#answers.set(question, { answer, until: this.#clock.now() + ttlMs(answer) })
    return answer
  }
}
