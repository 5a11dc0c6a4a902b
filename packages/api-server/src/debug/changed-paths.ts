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

export interface Change {
  path: string
  /** Absent where there was nothing. */
  before?: unknown
  after?: unknown
}

/** With both values. An item that went is named by its place in the list before. */
export function changes(before: unknown, after: unknown): Change[] {
  const found: Change[] = []
  compare(before, after, '', found)
  return found.filter(({ path }) => !noise.has(path))
}

function compare(before: unknown, after: unknown, path: string, found: Change[]): void {
  if (before === after || noise.has(path)) return
  if (isRecord(before) && isRecord(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(before[key], after[key], `${path}/${escapeToken(key)}`, found)
    }
  } else if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, found)
  else found.push({ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) })
}

function compareLists(before: unknown[], after: unknown[], path: string, found: Change[]): void {
  const identity = identityKeys.find((key) => isIdentifiedBy(before, key) && isIdentifiedBy(after, key))
  if (identity === undefined) {
    for (let i = 0; i < Math.max(before.length, after.length); i++) compare(before[i], after[i], `${path}/${i}`, found)
    return
  }
  const byId = new Map(before.map((item) => [(item as Fields)[identity], item]))
  after.forEach((item, i) => {
    const id = (item as Fields)[identity]
    compare(byId.get(id), item, `${path}/${i}`, found)
    byId.delete(id)
  })
  before.forEach((item, i) => {
    if (byId.has((item as Fields)[identity])) found.push({ path: `${path}/${i}`, before: item })
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
