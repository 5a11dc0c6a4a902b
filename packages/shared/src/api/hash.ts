/**
 * The hash of a pod template: what makes a ReplicaSet's name and its `pod-template-hash` label. Equal templates give
 * equal hashes whatever the order of their keys. The value differs from upstream's, which hashes Go's print of a
 * Go struct; only its stability and its alphabet matter to anyone.
 */
import { safeEncode } from './names.ts'

export function podTemplateHash(template: unknown, collisionCount?: number): string {
  const text = canonicalJson(template) + (collisionCount === undefined ? '' : String(collisionCount))
  return safeEncode(String(fnv1a(text)))
}

/** FNV-1a, 32 bits, over the UTF-8 bytes. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** JSON with sorted keys and without undefined fields: equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (isRecord(item) ? sortKeys(item) : item)) ?? 'null'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sortKeys(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}
