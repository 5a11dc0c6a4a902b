/**
 * Bootstrap tokens, "abcdef.0123456789abcdef": a Secret bootstrap-token-abcdef in kube-system is what a new node shows
 * until it has a certificate (kubeadm token create). Follows upstream's plugin/pkg/auth/authenticator/token/bootstrap.
 */

import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '@dinghy/shared/api/clock'
import { Secrets } from '@dinghy/shared/api/resources'
import type { TokenVerifier } from './bearer-tokens.ts'
import type { ObjectReader } from './object-reader.ts'

export function bootstrapTokens(reader: ObjectReader, clock: Pick<Clock, 'now'>): TokenVerifier {
  return (token) => {
    const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? []
    if (id === undefined || secret === undefined) return undefined
    const stored = reader.get(Secrets, 'kube-system', `bootstrap-token-${id}`)
    if (stored?.type !== 'bootstrap.kubernetes.io/token' || stored.metadata.deletionTimestamp) return undefined
    const valueOf = (key: string) => Buffer.from(stored.data?.[key] ?? '', 'base64').toString()
    const isValid =
      isSame(valueOf('token-secret'), secret) &&
      valueOf('token-id') === id &&
      !hasExpired(valueOf('expiration'), clock.now()) &&
      valueOf('usage-bootstrap-authentication') === 'true'
    const groups = extraGroups(valueOf('auth-extra-groups'))
    if (!isValid || !groups) return undefined
    return {
      user: {
        username: `system:bootstrap:${id}`,
        groups: ['system:bootstrappers', ...groups, 'system:authenticated'],
      },
    }
  }
}

/** In a time that does not tell how much of it was right. */
function isSame(stored: string, shown: string): boolean {
  return stored.length === shown.length && timingSafeEqual(Buffer.from(stored), Buffer.from(shown))
}

/** A time that cannot be read has passed. */
function hasExpired(expiration: string, now: number): boolean {
  return expiration !== '' && !(now < Date.parse(expiration))
}

/** Undefined if one of them is none that a bootstrap token may give. */
function extraGroups(text: string): string[] | undefined {
  const groups = [...new Set(text.split(',').filter(Boolean))]
  const isAllowed = (group: string) => /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(group)
  return groups.every(isAllowed) ? groups : undefined
}
