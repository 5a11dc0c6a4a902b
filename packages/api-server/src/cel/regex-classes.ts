/**
 * Classes of characters in regular expressions, as ranges of codes: those of Perl (\d), of POSIX ([:alpha:]) and of
 * Unicode (\p{Greek}), and how ranges are written so that V8's non-backtracking engine takes them.
 */

export type Range = readonly [low: number, high: number]

/** The last character of which JavaScript's text has one unit. */
const top = 0xffff

/** The part of a range within [low, high], moved. */
export function shifted([from, to]: Range, low: number, high: number, by: number): Range[] {
  const [start, end] = [Math.max(from, low), Math.min(to, high)]
  return start <= end ? [[start + by, end + by]] : []
}

export function complement(ranges: readonly Range[]): Range[] {
  const result: Range[] = []
  let next = 0
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (low > next) result.push([next, low - 1])
    next = Math.max(next, high + 1)
  }
  if (next <= top) result.push([next, top])
  return result
}

export function classOf(ranges: readonly Range[], isNegated: boolean): string {
  const body = ranges
    .filter(([low]) => low <= top)
    .map(([low, high]) => (low === high ? unit(low) : `${unit(low)}-${unit(Math.min(high, top))}`))
  return `[${isNegated ? '^' : ''}${body.join('')}]`
}

export function unit(code: number): string {
  const char = String.fromCharCode(code)
  return /[A-Za-z0-9_]/.test(char) ? char : `\\u${code.toString(16).padStart(4, '0')}`
}

function ranges(text: string): Range[] {
  return (text.match(/[^]-[^]|[^]/g) ?? []).map((one) => [one.charCodeAt(0), one.charCodeAt(one.length - 1)])
}

export const perlClasses: Record<string, Range[]> = {
  d: ranges('0-9'),
  w: ranges('0-9A-Za-z_'),
  s: ranges('\t\n\f\r '),
}
export const posixClasses: Record<string, Range[]> = {
  alnum: ranges('0-9A-Za-z'),
  alpha: ranges('A-Za-z'),
  ascii: ranges('\0-\x7f'),
  blank: ranges('\t '),
  cntrl: ranges('\0-\x1f\x7f'),
  digit: ranges('0-9'),
  graph: ranges('!-~'),
  lower: ranges('a-z'),
  print: ranges(' -~'),
  punct: ranges('!-/:-@[-`{-~'),
  space: ranges('\t\n\v\f\r '),
  upper: ranges('A-Z'),
  word: ranges('0-9A-Za-z_'),
  xdigit: ranges('0-9A-Fa-f'),
}

const unicodeClasses = new Map<string, Range[]>()

/** Found by asking V8 about every character, once for each class that somebody uses. */
export function unicodeClass(name: string): Range[] | undefined {
  const known = unicodeClasses.get(name)
  if (known) return known
  const tester = unicodeTester(name)
  if (!tester) return undefined
  const found: [number, number][] = []
  for (let code = 0; code <= top; code++) {
    if (!tester.test(String.fromCharCode(code))) continue
    const last = found.at(-1)
    if (last?.[1] === code - 1) last[1] = code
    else found.push([code, code])
  }
  unicodeClasses.set(name, found)
  return found
}

function unicodeTester(name: string): RegExp | undefined {
  for (const property of [name, `Script=${name}`]) {
    if (name === 'Any') return /[^]/
    try {
      return new RegExp(`^\\p{${property}}$`, 'u')
    } catch {
      // Not a general category; a script, perhaps, or nothing that is known.
    }
  }
  return undefined
}
