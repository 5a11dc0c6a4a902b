/**
 * Service account tokens: JWTs signed with the cluster's own key, in the form and with the claims of Kubernetes, so
 * that programs that look inside find what they expect.
 *
 * The key lies next to the database: it must survive restarts as long as tokens do. Verification checks signature,
 * times, issuer, and that the account (and what the token is bound to) still exists as the same object.
 */

import { createPrivateKey, createPublicKey, createHash, randomUUID, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import { newSigningKey } from '@dinghy/shared/pki/signing-key'

export interface TokenSubject {
  namespace: string
  name: string
  uid: string
  audiences: string[]
  expirationSeconds: number
  /** What the token lives and dies with. */
  bound?: { kind: 'Pod' | 'Secret' | 'Node'; name: string; uid: string } | undefined
  /** Where the pod runs that it is bound to. */
  node?: { name: string; uid: string } | undefined
}

export interface Claims {
  iss: string
  sub: string
  aud: string[]
  exp: number
  iat: number
  nbf: number
  jti: string
  'kubernetes.io': {
    namespace: string
    serviceaccount: { name: string; uid: string }
    pod?: { name: string; uid: string }
    secret?: { name: string; uid: string }
    node?: { name: string; uid: string }
  }
}

/** Signatures of that many tokens are remembered: checking one costs more than a small request. */
const rememberedTokens = 1_000

const issuer = 'https://kubernetes.default.svc.cluster.local'

export class TokenIssuer {
  readonly defaultAudiences = [issuer]
  readonly #clock: Clock
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #keyId: string
  /** By the whole token, whose signature was right. */
  readonly #signed = new Map<string, Claims>()

  constructor(privateKeyPem: string, clock: Clock) {
    this.#clock = clock
    this.#privateKey = createPrivateKey(privateKeyPem)
    this.#publicKey = createPublicKey(this.#privateKey)
    const der = this.#publicKey.export({ type: 'spki', format: 'der' })
    this.#keyId = createHash('sha256').update(der).digest('base64url')
  }

  issue({ namespace, name, uid, audiences, expirationSeconds, bound, node }: TokenSubject): string {
    const now = Math.floor(this.#clock.now() / 1000)
    const claims: Claims = {
      aud: audiences,
      exp: now + expirationSeconds,
      iat: now,
      iss: issuer,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        ...(node ? { node } : {}),
        ...(bound ? { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } } : {}),
        serviceaccount: { name, uid },
      },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${name}`,
    }
    const signed = `${encode({ alg: 'ES256', kid: this.#keyId, typ: 'JWT' })}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }

  /** What others need to check these tokens: OpenID discovery, and the public key as a JSON Web Key Set. */
  discovery(): { configuration: object; keys: object } {
    const jwk = this.#publicKey.export({ format: 'jwk' })
    return {
      configuration: {
        issuer,
        jwks_uri: `${issuer}/openid/v1/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      },
      keys: { keys: [{ use: 'sig', ...jwk, kid: this.#keyId, alg: 'ES256' }] },
    }
  }

  /** The claims of a token that this cluster signed and that is valid now; undefined for any other text. */
  verify(token: string): Claims | undefined {
    const claims = this.#signed.get(token) ?? this.#signedClaims(token)
    const now = this.#clock.now() / 1000
    return claims?.iss === issuer && claims.nbf <= now && now < claims.exp ? claims : undefined
  }

  #signedClaims(token: string): Claims | undefined {
    const [header, payload, signature, ...rest] = token.split('.')
    if (!header || !payload || !signature || rest.length > 0) return undefined
    const key = { key: this.#publicKey, dsaEncoding: 'ieee-p1363' } as const
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
      return undefined
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
    const [oldest] = this.#signed.keys()
    if (oldest !== undefined && this.#signed.size >= rememberedTokens) this.#signed.delete(oldest)
    this.#signed.set(token, claims)
    return claims
  }
}

/** The key in this file, which is made if it is not there. */
export function loadSigningKey(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const pem = newSigningKey()
    writeFileSync(path, pem, { mode: 0o600 })
    return pem
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
