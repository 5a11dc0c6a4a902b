/**
 * Service account tokens for pods, asked of the API by TokenRequest and bound to the pod, so that a token is worth
 * nothing once its pod is gone. Kept until most of their life is over. Follows upstream's pkg/kubelet/token.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { ServiceAccounts } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'

interface Token {
  token: string
  expiresAt: number
  refreshAt: number
}

interface TokenRequest {
  status: { token: string; expirationTimestamp: string }
}

/** A token is replaced when a fifth of its life is left, or after a day. */
const refreshFraction = 0.8
const dayMs = 86_400_000

export class ServiceAccountTokens {
  readonly #client: ApiClient
  readonly #clock: Clock
  /** pod uid → "audience/seconds" → token */
  readonly #tokens = new Map<string, Map<string, Token>>()

  constructor(client: ApiClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** Makes sure that every token the pod mounts is at hand; returns when the first must be replaced. */
  async prepare(pod: Pod, signal: AbortSignal): Promise<number | undefined> {
    const wanted = tokensOf(pod)
    const tokens = await Promise.all(wanted.map((request) => this.#obtain(pod, request, signal)))
    return tokens.length > 0 ? Math.min(...tokens.map(({ refreshAt }) => refreshAt)) : undefined
  }

  /** A token that prepare() has obtained. */
  get(podUid: string, audience: string | undefined, seconds: number): string {
    const token = this.#tokens.get(podUid)?.get(keyOf({ audience, seconds }))
    if (!token) throw new Error('failed to fetch token: not requested')
    return token.token
  }

  forget(podUid: string): void {
    this.#tokens.delete(podUid)
  }

  async #obtain(pod: Pod, request: WantedToken, signal: AbortSignal): Promise<Token> {
    const { uid, name, namespace = 'default' } = pod.metadata
    const key = keyOf(request)
    const known = this.#tokens.get(uid)?.get(key)
    if (known && this.#clock.now() < known.refreshAt) return known
    const account = pod.spec.serviceAccountName ?? 'default'
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: request.audience === undefined ? [] : [request.audience],
        expirationSeconds: request.seconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    }
    const ref = { namespace, name: account }
    const answer = (await this.#client.createSubresource(ServiceAccounts, ref, 'token', body, signal)) as TokenRequest
    const token = this.#remembered(answer.status)
    const tokens = this.#tokens.get(uid) ?? new Map<string, Token>()
    this.#tokens.set(uid, tokens.set(key, token))
    return token
  }

  #remembered({ token, expirationTimestamp }: TokenRequest['status']): Token {
    const now = this.#clock.now()
    const expiresAt = Date.parse(expirationTimestamp)
    return { token, expiresAt, refreshAt: Math.min(now + (expiresAt - now) * refreshFraction, now + dayMs) }
  }
}

interface WantedToken {
  audience: string | undefined
  seconds: number
}

function tokensOf({ spec }: Pod): WantedToken[] {
  const sources = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? [])
  const wanted = sources.flatMap(({ serviceAccountToken }) =>
    serviceAccountToken
      ? [{ audience: serviceAccountToken.audience, seconds: serviceAccountToken.expirationSeconds ?? 3600 }]
      : [],
  )
  return [...new Map(wanted.map((one) => [keyOf(one), one])).values()]
}

function keyOf({ audience, seconds }: WantedToken): string {
  return `${audience ?? ''}/${seconds}`
}
