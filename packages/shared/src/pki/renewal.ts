/**
 * Whether a certificate that is there still serves, by node's own reader of certificates: it is loaded in no time, so
 * this can be asked at every start.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { KeyPair } from './authority.ts'
import { type Subject, subjectOfText } from './subject.ts'

export interface Expected {
  /** The authority's certificate, as PEM. */
  authority: string
  subject: Subject
  names?: readonly string[]
  now: number
}

/** A year's certificate is renewed in its last month, a day's in its last two hours. */
const renewedInLastPart = 1 / 12

/** Why a new one is needed, for the log; undefined as long as it serves. */
export function whyRenew(pair: KeyPair, { authority, subject, names = [], now }: Expected): string | undefined {
  let certificate
  let issuer
  try {
    certificate = new X509Certificate(pair.certificate)
    issuer = new X509Certificate(authority)
    if (!certificate.checkPrivateKey(createPrivateKey(pair.key))) return 'its key is another one'
  } catch (error) {
    return `it cannot be read: ${(error as Error).message}`
  }
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return 'its authority is another one'
  const named = subjectOfText(certificate.subject)
  if (named?.user !== subject.user || !sameNames(named.groups, subject.groups)) return 'it names somebody else'
  const missing = names.filter((name) => !alternativeNamesOf(certificate).includes(name))
  if (missing.length > 0) return `it does not hold for ${missing.join(', ')}`
  return expiresSoon(certificate, now) ? `it expires at ${certificate.validTo}` : undefined
}

export function expiresSoon(certificate: Pick<X509Certificate, 'validFrom' | 'validTo'>, now: number): boolean {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
  return now >= to - (to - from) * renewedInLastPart
}

function alternativeNamesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName.split(', ').map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one) => others.includes(one))
}
