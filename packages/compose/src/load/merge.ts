/**
 * Merging compose files (`-f a.yaml -f b.yaml`) and `extends`: the later one wins, field by field. Pure.
 *
 * Mappings are merged; single values are replaced; lists are joined. The table below says where a field differs: what
 * stands for one value and is replaced whole, what has a short form to be written out first, and by what two items of
 * a list are the same. A value tagged `!reset` or `!override` (a Replacement) ends the merging of its field.
 */

import { hostsToMapping } from './hosts.ts'
import { mountTarget } from './mounts.ts'
import { parsePort } from './ports.ts'
import { isTree, listToMapping, Replacement, type Tree } from './tree.ts'

interface Rule {
  /** The later value takes the place of the earlier one. */
  replaces?: (base: unknown, over: unknown) => boolean
  /** Writes a short form out, so that both sides have the same shape. */
  long?: (value: unknown) => unknown
  /** Two items with the same key are one: the later. */
  keyOf?: (item: unknown) => string
}

const whole: Rule = { replaces: () => true }
const mapping: Rule = { long: (value) => (Array.isArray(value) ? listToMapping(value) : value) }
const hosts: Rule = { long: (value) => (Array.isArray(value) ? hostsToMapping(value) : value) }
const list: Rule = { long: (value) => (typeof value === 'string' ? [value] : value) }
function names(item: unknown): Rule {
  return {
    long: (value) => (Array.isArray(value) ? Object.fromEntries(value.map((name) => [String(name), item])) : value),
  }
}
const byTarget: Rule = { keyOf: (item) => (isTree(item) ? String(item['target'] ?? item['source']) : String(item)) }

const rules: Record<string, Rule> = {
  'services.*.build': { long: (value) => (typeof value === 'string' ? { context: value } : value) },
  'services.*.build.additional_contexts': mapping,
  'services.*.build.args': mapping,
  'services.*.build.extra_hosts': hosts,
  'services.*.build.labels': mapping,
  'services.*.annotations': mapping,
  'services.*.command': whole,
  'services.*.configs': byTarget,
  'services.*.depends_on': names({ condition: 'service_started' }),
  'services.*.deploy.labels': mapping,
  'services.*.dns': list,
  'services.*.dns_search': list,
  'services.*.entrypoint': whole,
  'services.*.env_file': list,
  'services.*.environment': mapping,
  'services.*.extra_hosts': hosts,
  'services.*.healthcheck.test': whole,
  'services.*.label_file': list,
  'services.*.labels': mapping,
  // Options of one driver mean nothing to another.
  'services.*.logging': { replaces: (base, over) => isTree(base) && isTree(over) && base['driver'] !== over['driver'] },
  'services.*.networks': names(null),
  'services.*.ports': { keyOf: (item) => JSON.stringify(parsePort(item, 'ports')) },
  'services.*.secrets': byTarget,
  'services.*.sysctls': mapping,
  'services.*.tmpfs': list,
  'services.*.volumes': { keyOf: mountTarget },
  'networks.*.labels': mapping,
  'volumes.*.labels': mapping,
}

const patterns = Object.entries(rules).map(([pattern, rule]) => ({ segments: pattern.split('.'), rule }))

/** `path` is where the two values stand, such as ["services", "web", "ports"]. */
export function mergeTrees(base: unknown, over: unknown, path: string[] = []): unknown {
  if (over instanceof Replacement) return withoutTags(over)
  if (over === undefined) return base
  if (base === undefined || base === null) return withoutTags(over)
  const { replaces, long = (value: unknown) => value, keyOf = JSON.stringify } = ruleFor(path)
  if (replaces?.(base, over)) return withoutTags(over)
  const [left, right] = [long(base), long(over)]
  // `networks: { default: }` in the later file says nothing new about it.
  if (right === null && typeof left === 'object') return left
  if (Array.isArray(left) && Array.isArray(right)) return joinLists(left, withoutTags(right) as unknown[], keyOf)
  return isTree(left) && isTree(right) ? mergeMappings(left, right, path) : withoutTags(right)
}

/** What is left when nothing precedes it: the tags mean nothing without something to replace. */
function withoutTags(value: unknown): unknown {
  if (value instanceof Replacement) return withoutTags(value.value)
  if (Array.isArray(value)) return value.map(withoutTags)
  if (!isTree(value)) return value
  const kept = Object.entries(value).map(([key, child]) => [key, withoutTags(child)] as const)
  return Object.fromEntries(kept.filter(([, child]) => child !== undefined))
}

function mergeMappings(left: Tree, right: Tree, path: string[]): Tree {
  const merged: Tree = { ...left }
  for (const [key, value] of Object.entries(right)) {
    const next = mergeTrees(left[key], value, [...path, key])
    if (next === undefined) delete merged[key]
    else merged[key] = next
  }
  return merged
}

function joinLists(left: unknown[], right: unknown[], keyOf: (item: unknown) => string): unknown[] {
  const byKey = new Map(left.map((item) => [keyOf(item), item]))
  for (const item of right) byKey.set(keyOf(item), item)
  return [...byKey.values()]
}

function ruleFor(path: string[]): Rule {
  const matches = ({ segments }: { segments: string[] }) =>
    segments.length === path.length && segments.every((segment, i) => segment === '*' || segment === path[i])
  return patterns.find(matches)?.rule ?? {}
}
