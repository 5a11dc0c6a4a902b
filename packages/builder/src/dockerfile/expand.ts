/**
 * Variable expansion in Dockerfile words: `$X`, `${X}`, `${X:-default}`, `${X:+other}`, `${X:?message}`, the trimming
 * forms `${X#p}` `${X##p}` `${X%p}` `${X%%p}` and `${X/p/r}` `${X//p/r}`, quotes and escapes.
 *
 * Like a shell's, but not a shell: no commands, no arithmetic, no globbing. Follows BuildKit's shell lexer.
 */

export type Lookup = (name: string) => string | undefined

export class ExpansionError extends Error {}

/** The word with variables replaced and quotes removed. */
export function expand(word: string, lookup: Lookup, escape = '\\'): string {
  return inContext(word, () => new Expansion(word, lookup, escape).run().text)
}

/** Like expand, but blanks that came from outside quotes cut the result into words: `EXPOSE $PORTS`. */
export function expandToWords(word: string, lookup: Lookup, escape = '\\'): string[] {
  return inContext(word, () => new Expansion(word, lookup, escape).run().words)
}

/** For heredoc bodies: variables and escaped dollars only, quotes are text. */
export function expandText(text: string, lookup: Lookup, escape = '\\'): string {
  return inContext(text, () => new Expansion(text, lookup, escape, { quotes: false }).run().text)
}

function inContext<T>(word: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error
    throw new ExpansionError(`failed to process ${JSON.stringify(word)}: ${error.message}`)
  }
}

class Expansion {
  readonly #source: string
  readonly #lookup: Lookup
  readonly #escape: string
  readonly #quotes: boolean
  #at = 0

  constructor(source: string, lookup: Lookup, escape: string, options: { quotes: boolean } = { quotes: true }) {
    this.#source = source
    this.#lookup = lookup
    this.#escape = escape
    this.#quotes = options.quotes
  }

  run(): { text: string; words: string[] } {
    return this.#until('', false)
  }

  /** Reads up to `stop`, or to the end. `rawEscapes` keeps escape characters for a pattern to read. */
  #until(stop: string, rawEscapes: boolean): { text: string; words: string[] } {
    let text = ''
    const words = new Words()
    while (this.#at < this.#source.length) {
      const char = this.#source.charAt(this.#at)
      if (stop !== '' && char === stop) {
        this.#at += 1
        return { text, words: words.finish() }
      }
      if (char === '$') {
        const value = this.#variable()
        text += value
        words.addSplit(value)
      } else if (this.#quotes && (char === "'" || char === '"')) {
        const value = char === "'" ? this.#singleQuoted() : this.#doubleQuoted()
        text += value
        words.addWhole(value)
      } else if (char === this.#escape) {
        const next = this.#source.charAt(this.#at + 1)
        // Text keeps a backslash that escapes nothing; a word drops it.
        const isKept = rawEscapes || (!this.#quotes && next !== '$' && next !== this.#escape)
        const value = (isKept ? char : '') + next
        this.#at += 2
        text += value
        words.addWhole(value)
      } else {
        this.#at += 1
        text += char
        words.addSplit(char)
      }
    }
    if (stop !== '') throw new ExpansionError(`unexpected end of statement while looking for matching ${stop}`)
    return { text, words: words.finish() }
  }

  #singleQuoted(): string {
    const end = this.#source.indexOf("'", this.#at + 1)
    if (end < 0) throw new ExpansionError('unexpected end of statement while looking for matching single-quote')
    const text = this.#source.slice(this.#at + 1, end)
    this.#at = end + 1
    return text
  }

  #doubleQuoted(): string {
    let text = ''
    this.#at += 1
    while (this.#at < this.#source.length) {
      const char = this.#source.charAt(this.#at)
      if (char === '"') {
        this.#at += 1
        return text
      }
      if (char === '$') text += this.#variable()
      else if (char === this.#escape) {
        const next = this.#source.charAt(this.#at + 1)
        text += next === '"' || next === '$' || next === this.#escape ? next : char + next
        this.#at += 2
      } else {
        text += char
        this.#at += 1
      }
    }
    throw new ExpansionError('unexpected end of statement while looking for matching double-quote')
  }

  #variable(): string {
    this.#at += 1
    if (this.#source.charAt(this.#at) !== '{') {
      const name = this.#name()
      return name === '' ? '$' : (this.#lookup(name) ?? '')
    }
    this.#at += 1
    if (this.#at >= this.#source.length) throw new ExpansionError("syntax error: missing '}'")
    if ('{}:'.includes(this.#source.charAt(this.#at))) throw new ExpansionError('syntax error: bad substitution')
    const name = this.#name()
    const value = this.#lookup(name)
    let modifier = this.#next()
    if (modifier === '}') return value ?? ''
    if (modifier === '') throw new ExpansionError("syntax error: missing '}'")
    if (modifier === '/') return this.#replace(value ?? '')
    const nullIsUnset = modifier === ':'
    if (nullIsUnset) modifier = this.#next()
    return this.#modify(name, value, modifier, nullIsUnset)
  }

  #modify(name: string, value: string | undefined, modifier: string, nullIsUnset: boolean): string {
    const isPattern = modifier === '#' || modifier === '%'
    const word = this.#closing('}', isPattern)
    const isUnset = value === undefined || (nullIsUnset && value === '')
    switch (modifier) {
      case '-':
        return isUnset ? word : value
      case '+':
        return isUnset ? '' : word
      case '?': {
        if (!isUnset) return value
        throw new ExpansionError(
          `${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`,
        )
      }
      case '#':
      case '%':
        return trim(value ?? '', word, modifier)
      default:
        throw new ExpansionError(`unsupported modifier (${nullIsUnset ? ':' : ''}${modifier}) in substitution`)
    }
  }

  #replace(value: string): string {
    const all = this.#source.charAt(this.#at) === '/'
    if (all) this.#at += 1
    const pattern = this.#closing('/', true)
    const replacement = this.#closing('}', true)
    return value.replace(new RegExp(patternSource(pattern, true), all ? 'gs' : 's'), () => replacement)
  }

  #closing(stop: string, rawEscapes: boolean): string {
    try {
      return this.#until(stop, rawEscapes).text
    } catch (error) {
      if (!(error instanceof ExpansionError) || this.#at < this.#source.length) throw error
      throw new ExpansionError(`syntax error: missing '${stop}'${stop === '/' ? ' in ${}' : ''}`)
    }
  }

  /** Letters, digits and `_`; or digits alone; or one of the shell's special parameters, which are always unset. */
  #name(): string {
    const match = /^(?:\d+|[@*#?\-$!]|[\p{L}_][\p{L}\p{N}_]*)/u.exec(this.#source.slice(this.#at))
    const name = match?.[0] ?? ''
    this.#at += name.length
    return name
  }

  #next(): string {
    return this.#source.charAt(this.#at++)
  }
}

/** Collects words the way a shell splits fields. */
class Words {
  readonly #words: string[] = []
  #word = ''
  #started = false

  addSplit(text: string): void {
    for (const char of text) {
      if (!/\s/.test(char)) this.addWhole(char)
      else if (this.#started && this.#word !== '') this.#flush()
    }
  }

  addWhole(text: string): void {
    this.#word += text
    this.#started = true
  }

  finish(): string[] {
    if (this.#word !== '') this.#flush()
    return this.#words
  }

  #flush(): void {
    this.#words.push(this.#word)
    this.#word = ''
    this.#started = false
  }
}

function trim(value: string, pattern: string, side: '#' | '%'): string {
  const greedy = pattern.startsWith(side)
  const source = patternSource(greedy ? pattern.slice(1) : pattern, greedy)
  if (side === '#') return value.replace(new RegExp(`^(?:${source})`, 's'), '')
  // The shortest suffix is found by trying the latest start first.
  const whole = new RegExp(`^(?:${patternSource(greedy ? pattern.slice(1) : pattern, true)})$`, 's')
  const starts = Array.from({ length: value.length + 1 }, (_, index) => (greedy ? index : value.length - index))
  const start = starts.find((index) => whole.test(value.slice(index)))
  return start === undefined ? value : value.slice(0, start)
}

/** A shell pattern of `*` and `?` as a regular expression. */
function patternSource(pattern: string, greedy: boolean): string {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at)
    if (char === '*') source += greedy ? '.*' : '.*?'
    else if (char === '?') source += '.'
    else if (char === '\\') source += `\\${pattern.charAt(++at)}`
    else source += char.replace(/[[\]{}().+^$|/\\]/, '\\$&')
  }
  return source
}
