// Merging compose files (`-f a.yaml -f b.yaml`) and `extends`: the later one wins, field by field. Pure.
//
// Mappings are merged; single values and `command`/`entrypoint`/`healthcheck.test` are replaced; lists are joined, with
// ports told apart by what they publish and mounts by their target. `!reset` and `!override` are marked by the reader
// (read.ts) and end the merging of their field.

type Tree = Record<string, unknown>

/** Read.ts puts this in the place of a value with a `!override` or `!reset` tag. */
export class Replacement {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

/** Fields whose lists stand for one value. */
const replaced = new Set(['command', 'entrypoint', 'test'])

/** Fields that may be a list of `NAME=value` or a mapping; merged as mappings. */
const mappings = new Set(['environment', 'labels', 'args', 'annotations', 'sysctls', 'extra_hosts', 'driver_opts'])

/** Fields that may be a list of names or a mapping from them. */
const named: Record<string, unknown> = { depends_on: { condition: 'service_started' }, networks: null }

export function mergeTrees(base: unknown, over: unknown, field = ''): unknown {
  if (over instanceof Replacement) return over.value
  if (over === undefined) return base
  if (base === undefined || base === null || replaced.has(field)) return stripReplacements(over)
  const [left, right] = [asMapping(base, field), asMapping(over, field)]
  if (isTree(left) && isTree(right)) {
    const merged: Tree = { ...left }
    for (const [key, value] of Object.entries(right)) {
      const next = mergeTrees(left[key], value, key)
      if (next === undefined) delete merged[key]
      else merged[key] = next
    }
    return merged
  }
  if (Array.isArray(left) && Array.isArray(right)) return joinLists(left, right, field)
  return stripReplacements(right)
}

/** What is left when nothing precedes it: tags mean nothing without something to replace. */
export function stripReplacements(value: unknown): unknown {
  if (value instanceof Replacement) return stripReplacements(value.value)
  if (Array.isArray(value)) return value.map(stripReplacements)
  if (!isTree(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, stripReplacements(child)]))
}

function joinLists(left: unknown[], right: unknown[], field: string): unknown[] {
  const keyOf = field === 'volumes' ? mountTarget : JSON.stringify
  const byKey = new Map(left.map((item) => [keyOf(item), item]))
  for (const item of right) byKey.set(keyOf(item), item)
  return [...byKey.values()]
}

function mountTarget(mount: unknown): string {
  if (typeof mount !== 'string') return String((mount as Tree)['target'])
  const parts = mount.split(':')
  return (parts.length === 1 ? parts[0] : parts[1]) ?? mount
}

/** Both forms of a field that has two, as the mapping. */
function asMapping(value: unknown, field: string): unknown {
  if (!Array.isArray(value)) return value
  if (field in named) return Object.fromEntries(value.map((name) => [String(name), named[field]]))
  return mappings.has(field) ? listToMapping(value) : value
}

/** `["A=1", "B"]` → `{ A: "1", B: null }`. Extra hosts may be written with a colon. */
export function listToMapping(list: unknown[]): Record<string, string | null> {
  return Object.fromEntries(
    list.map((item) => {
      const text = String(item)
      const equals = text.indexOf('=')
      return equals < 0 ? [text, null] : [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Replacement)
