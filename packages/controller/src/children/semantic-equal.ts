/**
 * Whether two parts of Kubernetes objects mean the same. Clients write one thing in several ways: kubectl's structs
 * come with `resources: {}` and `creationTimestamp: null` where a manifest has nothing. So the order of keys does not
 * matter, and absent, null and an empty list are one and the same. An empty object is absent only where it can't mean
 * anything, in the fields below; elsewhere it may: `emptyDir: {}` is a volume.
 */

const meaninglessWhenEmpty = new Set([
  // Structs that Go always writes out.
  'metadata',
  'resources',
  'securityContext',
  'status',
  'strategy',
  // Maps.
  'annotations',
  'labels',
  'limits',
  'matchLabels',
  'nodeSelector',
  'requests',
])

export function isSemanticallyEqual(a: unknown, b: unknown, field?: string): boolean {
  if (isAbsent(a, field) || isAbsent(b, field)) return isAbsent(a, field) && isAbsent(b, field)
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSemanticallyEqual(item, b[index]))
  }
  if (isRecord(a) && isRecord(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    return [...keys].every((key) => isSemanticallyEqual(a[key], b[key], key))
  }
  return a === b
}

function isAbsent(value: unknown, field: string | undefined): boolean {
  if (value === undefined || value === null) return true
  if (Array.isArray(value)) return value.length === 0
  if (field === undefined || !meaninglessWhenEmpty.has(field) || !isRecord(value)) return false
  // `metadata: {creationTimestamp: null}` says as little as `metadata: {}`.
  return Object.entries(value).every(([key, inner]) => isAbsent(inner, key))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
