/**
 * Which certificate a client is shown, and what of a Secret can be used as one.
 *
 * Callers may rely on: the most specific name wins, of equals the older object's; a Secret that is broken is not used,
 * and its problem is told in ingress-nginx' words; a Secret is read once for each version of it, since reading a key
 * takes longer than a request.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import type { Secret } from '@dinghy/shared/api/types'
import type { KeyPair } from '@dinghy/shared/pki/authority'
import type { CertificateUse } from '../routing/ingress-routes.ts'
import { hostRank, matchesHost } from '../routing/route-match.ts'

/** The key of the Secret for a name at a port; `isUsable` says which Secrets can be. Pure. */
export function chooseCertificate(
  uses: readonly CertificateUse[],
  port: number,
  serverName: string,
  isUsable: (secret: string) => boolean,
): string | undefined {
  let best: CertificateUse | undefined
  for (const use of uses) {
    if (use.port !== port || !matchesHost(use.host, serverName, use.wildcardLabels)) continue
    const rank = hostRank(use.host) - (best ? hostRank(best.host) : -1)
    if ((rank > 0 || (rank === 0 && best && use.createdAt < best.createdAt)) && isUsable(use.secret)) best = use
  }
  return best?.secret
}

/** Why a Secret is no certificate. Pure. */
export function readSecret(key: string, secret: Secret | undefined): KeyPair | { problem: string } {
  if (!secret) return { problem: `local SSL certificate ${key} was not found` }
  const certificate = decoded(secret.data?.['tls.crt'])
  const privateKey = decoded(secret.data?.['tls.key'])
  if (certificate === '' || privateKey === '') return { problem: `Secret ${key} lacks tls.crt or tls.key` }
  try {
    const parsed = new X509Certificate(certificate)
    if (!parsed.checkPrivateKey(createPrivateKey(privateKey))) {
      return { problem: `Secret ${key}: the private key is not that of the certificate` }
    }
    return { certificate, key: privateKey }
  } catch (error) {
    return { problem: `Secret ${key} holds no certificate and key in PEM: ${(error as Error).message}` }
  }
}

function decoded(base64: string | undefined): string {
  return base64 === undefined ? '' : Buffer.from(base64, 'base64').toString('utf8')
}

interface Read {
  version: string | undefined
  pair: KeyPair | { problem: string }
  context?: SecureContext
}

/** Secrets as TLS wants them. */
export class SecretCertificates {
  readonly #secret: (key: string) => Secret | undefined
  readonly #read = new Map<string, Read>()

  constructor(secret: (key: string) => Secret | undefined) {
    this.#secret = secret
  }

  problem(key: string): string | undefined {
    const { pair } = this.#reading(key)
    return 'problem' in pair ? pair.problem : undefined
  }

  pair(key: string): KeyPair | undefined {
    const { pair } = this.#reading(key)
    return 'problem' in pair ? undefined : pair
  }

  context(key: string): SecureContext | undefined {
    const reading = this.#reading(key)
    if ('problem' in reading.pair) return undefined
    reading.context ??= secureContextOf(reading.pair)
    return reading.context
  }

  /** All others are forgotten. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.#read.keys()) if (!keys.has(key)) this.#read.delete(key)
  }

  #reading(key: string): Read {
    const secret = this.#secret(key)
    const version = secret?.metadata.resourceVersion
    const known = this.#read.get(key)
    if (known && known.version === version) return known
    const reading = { version, pair: readSecret(key, secret) }
    this.#read.set(key, reading)
    return reading
  }
}

export function secureContextOf({ certificate: cert, key }: KeyPair): SecureContext {
  return process.getBuiltinModule('node:tls').createSecureContext({ cert, key })
}
