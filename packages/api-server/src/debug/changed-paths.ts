/**
 * What differs between two states of an object, as JSON pointers (RFC 6901): deep enough to say what changed, not
 * deeper than the value that was replaced, added or removed as a whole.
 *
 * Lists of things with names are compared by name (containers, conditions by type, ports), so that one more container
 * is one path and not a difference in each that follows.
 */

const identityKeys = ['name', 'type', 'uid', 'ip', 'key']

/** What every write changes says nothing. */
const noise = new Set(['/metadata/resourceVersion', '/metadata/managedFields', '/metadata/generation'])

export function changedPaths(before: unknown, after: unknown): string[] {
  const paths: string[] = []
  compare(before, after, '', paths)
  return paths.filter((path) => !noise.has(path))
}

function compare(before: unknown, after: unknown, path: string, paths: string[]): void {
  if (before === after || noise.has(path)) return
  if (isRecord(before) && isRecord(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(before[key], after[key], `${path}/${escapeToken(key)}`, paths)
    }
  } else if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, paths)
  else paths.push(path)
}

function compareLists(before: unknown[], after: unknown[], path: string, paths: string[]): void {
  const identity = identityKeys.find((key) => isIdentifiedBy(before, key) && isIdentifiedBy(after, key))
  if (identity === undefined) {
    for (let i = 0; i < Math.max(before.length, after.length); i++) compare(before[i], after[i], `${path}/${i}`, paths)
    return
  }
  const byId = new Map(before.map((item) => [(item as Fields)[identity], item]))
  after.forEach((item, i) => {
    const id = (item as Fields)[identity]
    compare(byId.get(id), item, `${path}/${i}`, paths)
    byId.delete(id)
  })
  before.forEach((item, i) => {
    if (byId.has((item as Fields)[identity])) paths.push(`${path}/${i}`)
  })
}

type Fields = Record<string, unknown>

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether this key tells all items apart. */
function isIdentifiedBy(items: unknown[], key: string): boolean {
  const ids = items.map((item) => (isRecord(item) ? item[key] : undefined))
  return ids.every((id) => typeof id === 'string') && new Set(ids).size === ids.length
}

function escapeToken(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
