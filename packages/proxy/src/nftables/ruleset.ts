/**
 * Ruleset: one table of nftables as a value, and the texts for `nft -f` that make the kernel's table like it. Pure.
 *
 *   rewrite(table, present, next)    from whatever is there: the names in it are known, their contents are not
 *   change(table, before, next)      from what was written last: only what differs, so that one changed Service among
 *                                    a thousand costs its own few rules
 *
 * Each text is one transaction: packets meet the old table or the new one, never something in between. Neither forgets
 * what the kernel itself has put into a dynamic set (which client went where), as long as the set stays. Upstream's
 * nftables proxier does its syncs the same way.
 */

import { fnv1a } from '@dinghy/shared/api/hash'

export interface Ruleset {
  /** Name → declaration. A set or map whose declaration changes needs another name. */
  sets: Map<string, SetDeclaration>
  chains: Map<string, Chain>
  /** Name of a set or map → its elements: key → value, which is empty in a set. Not of dynamic sets. */
  elements: Map<string, Map<string, string>>
}

export interface SetDeclaration {
  kind: 'set' | 'map'
  /** As in "type ipv4_addr; flags dynamic, timeout;". */
  spec: string
}

export interface Chain {
  /** Of a base chain: "type nat hook prerouting priority -100; policy accept;". */
  hook?: string
  rules: string[]
}

/** What a table in the kernel has, by name. */
export interface TableNames {
  chains: string[]
  sets: { name: string; kind: 'set' | 'map' }[]
}

/** The kernel's names end at 255 characters; a longer one keeps its beginning and gets a hash. */
export function tableName(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 180)}-${fnv1a(text).toString(16)}`
}

export function rewrite(table: string, present: TableNames, next: Ruleset): string {
  const staleChains = present.chains.filter((name) => !next.chains.has(name))
  const staleSets = present.sets.filter(({ name }) => !next.sets.has(name))
  return [
    `add table ip ${table}`,
    `flush table ip ${table}`,
    ...present.sets
      .filter(({ name }) => next.elements.has(name))
      .map(({ kind, name }) => `flush ${kind} ip ${table} ${name}`),
    ...staleSets.map(({ kind, name }) => `flush ${kind} ip ${table} ${name}`),
    ...[...next.sets].map(([name, set]) => addSet(table, name, set)),
    ...[...next.chains].map(([name, chain]) => addChain(table, name, chain)),
    ...[...next.chains].flatMap(([name, chain]) => addRules(table, name, chain)),
    ...[...next.elements].flatMap(([name, elements]) => onElements('add', table, name, elements)),
    ...staleChains.map((name) => `delete chain ip ${table} ${name}`),
    ...staleSets.map(({ kind, name }) => `delete ${kind} ip ${table} ${name}`),
    '',
  ].join('\n')
}

/** Empty when nothing differs. */
export function change(table: string, before: Ruleset, next: Ruleset): string {
  const gone = [...before.chains.keys()].filter((name) => !next.chains.has(name))
  const changed = [...next.chains].filter(([name, chain]) => !isSameChain(before.chains.get(name), chain))
  const names = new Set([...before.elements.keys(), ...next.elements.keys()])
  const differences = [...names].map((name) => ({ name, ...difference(before.elements.get(name), next, name) }))
  const lines = [
    ...missing(next.sets, before.sets).map(([name, set]) => addSet(table, name, set)),
    ...missing(next.chains, before.chains).map(([name, chain]) => addChain(table, name, chain)),
    ...differences
      .filter(({ name }) => next.sets.has(name))
      .flatMap(({ name, removed }) => onElements('delete', table, name, removed)),
    ...[...changed.map(([name]) => name), ...gone].map((name) => `flush chain ip ${table} ${name}`),
    ...changed.flatMap(([name, chain]) => addRules(table, name, chain)),
    ...differences.flatMap(({ name, added }) => onElements('add', table, name, added)),
    ...gone.map((name) => `delete chain ip ${table} ${name}`),
    ...missing(before.sets, next.sets).map(([name, { kind }]) => `delete ${kind} ip ${table} ${name}`),
  ]
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function difference(
  before: Map<string, string> | undefined,
  next: Ruleset,
  name: string,
): { removed: Map<string, string>; added: Map<string, string> } {
  const after = next.elements.get(name)
  const isOther = (other: Map<string, string> | undefined, [key, value]: [string, string]): boolean =>
    other?.get(key) !== value
  return {
    removed: new Map([...(before ?? [])].filter((entry) => isOther(after, entry))),
    added: new Map([...(after ?? [])].filter((entry) => isOther(before, entry))),
  }
}

function missing<T>(from: Map<string, T>, other: Map<string, T>): [string, T][] {
  return [...from].filter(([name]) => !other.has(name))
}

function isSameChain(before: Chain | undefined, next: Chain): boolean {
  return before !== undefined && before.rules.join('\n') === next.rules.join('\n')
}

function addSet(table: string, name: string, { kind, spec }: SetDeclaration): string {
  return `add ${kind} ip ${table} ${name} { ${spec} }`
}

function addChain(table: string, name: string, { hook }: Chain): string {
  return `add chain ip ${table} ${name}${hook === undefined ? '' : ` { ${hook} }`}`
}

function addRules(table: string, name: string, { rules }: Chain): string[] {
  return rules.map((rule) => `add rule ip ${table} ${name} ${rule}`)
}

function onElements(verb: 'add' | 'delete', table: string, name: string, elements: Map<string, string>): string[] {
  if (elements.size === 0) return []
  const texts = [...elements].map(([key, value]) => (value === '' ? key : `${key} : ${value}`))
  return [`${verb} element ip ${table} ${name} { ${texts.join(', ')} }`]
}
