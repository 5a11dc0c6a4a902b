/** The key that tokens of service accounts are signed with: ECDSA P-256, as PEM. */

import { generateKeyPairSync } from 'node:crypto'

export function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}
