/** Flags of an instruction, `COPY --from=build --link`: which exist, and Docker's errors for those that do not. */

export type FlagKind = 'text' | 'boolean' | 'list'

export class FlagError extends Error {}

/** Throws FlagError. Absent text flags are undefined, absent booleans false, absent lists empty. */
export class Flags {
  readonly #values = new Map<string, string[]>()

  constructor(given: readonly string[], known: Record<string, FlagKind>) {
    for (const flag of given) {
      const equals = flag.indexOf('=')
      const name = flag.slice(2, equals < 0 ? undefined : equals)
      const kind = known[name]
      if (kind === undefined)
        throw new FlagError(`unknown flag: --${name}${suggestion(name, Object.keys(known), '--')}`)
      const earlier = this.#values.get(name)
      if (earlier && kind !== 'list') throw new FlagError(`duplicate flag specified: --${name}`)
      this.#values.set(name, [...(earlier ?? []), valueOf(name, kind, equals < 0 ? undefined : flag.slice(equals + 1))])
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name)?.[0]
  }

  boolean(name: string): boolean {
    return this.#values.get(name)?.[0] === 'true'
  }

  list(name: string): string[] {
    return this.#values.get(name) ?? []
  }
}

function valueOf(name: string, kind: FlagKind, value: string | undefined): string {
  if (kind !== 'boolean') {
    if (value === undefined) throw new FlagError(`missing a value on flag: --${name}`)
    return value
  }
  if (value === '') throw new FlagError(`missing a value on flag: --${name}`)
  const lower = value?.toLowerCase() ?? 'true'
  if (lower !== 'true' && lower !== 'false') {
    throw new FlagError(`expecting boolean value for flag --${name}, not: ${value}`)
  }
  return lower
}

/** ` (did you mean FROM?)`, when something known is at most two edits away; else nothing. */
export function suggestion(word: string, known: readonly string[], prefix = ''): string {
  let best = { distance: 3, name: '' }
  for (const name of known) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase())
    if (distance === 0) return ''
    if (distance < best.distance) best = { distance, name }
  }
  if (best.name === '') return ''
  const shown = word === word.toLowerCase() ? best.name.toLowerCase() : best.name.toUpperCase()
  return ` (did you mean ${prefix}${shown}?)`
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
