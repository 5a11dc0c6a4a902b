/**
 * Regular expressions in RE2's syntax, which CEL and OpenAPI patterns of custom resources are written in, matched in
 * time linear in the text. Whoever may write a policy must not be able to stop the server with `(a+)+$`.
 *
 * They become JavaScript's, in a form that V8's non-backtracking engine can run, too: V8 is told to change over to it
 * as soon as an ordinary match has gone back too often. That engine knows no flags and no counted repetition, so
 * `(?i)` and `x{2,5}` are written out. Lookaround and back references are refused, as RE2 does.
 *
 * Where it differs: characters beyond U+FFFF count as two, and `(?m)` holds for the whole expression.
 */

import { setFlagsFromString } from 'node:v8'
import { CelError } from './cel-error.ts'
import {
  classOf,
  complement,
  perlClasses,
  posixClasses,
  type Range,
  shifted,
  unicodeClass,
  unit,
} from './regex-classes.ts'

setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')

/** Written out, an expression may not be longer. */
const maxLength = 200_000
/** RE2's limit on a count. */
const maxRepeat = 1000

interface Flags {
  ignoreCase: boolean
  dotAll: boolean
  /** Quantifiers are lazy unless said otherwise. */
  swapGreed: boolean
}

const simpleEscapes: Record<string, number> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }

/** Keeps what was translated; policies use the same few expressions for every request. */
const cache = new Map<string, RegExp>()
const maxCached = 500

/** Throws CelError with RE2's words. The expression is not anchored and finds all matches of a text in turn (`g`). */
export function linearRegex(source: string): RegExp {
  const cached = cache.get(source)
  if (cached) {
    cached.lastIndex = 0
    return cached
  }
  const translator = new Translator(source)
  const body = translator.translate()
  if (cache.size >= maxCached) cache.clear()
  const made = new RegExp(body, translator.isMultiline ? 'gm' : 'g')
  cache.set(source, made)
  return made
}

export function matchesRegex(text: string, source: string): boolean {
  return linearRegex(source).test(text)
}

class Translator {
  isMultiline = false
  readonly #source: string
  #position = 0
  #depth = 0
  #flags: Flags = { ignoreCase: false, dotAll: false, swapGreed: false }

  constructor(source: string) {
    this.#source = source
  }

  translate(): string {
    const body = this.#alternation()
    if (this.#position < this.#source.length) throw this.#error('unexpected )')
    return body
  }

  #alternation(): string {
    const branches = [this.#concatenation()]
    while (this.#take('|')) branches.push(this.#concatenation())
    return branches.join('|')
  }

  #concatenation(): string {
    let all = ''
    while (this.#position < this.#source.length && !'|)'.includes(this.#peek())) {
      all += this.#repetition()
      if (all.length > maxLength) throw this.#error('expression too large')
    }
    return all
  }

  #repetition(): string {
    const atom = this.#atom()
    const quantifier = this.#quantifier()
    if (quantifier === undefined) return atom
    if (atom === '') return ''
    const again = this.#position
    if (this.#quantifier() !== undefined) {
      throw this.#error('invalid nested repetition operator', this.#source.slice(again - 1, this.#position))
    }
    return this.#repeated(atom, quantifier)
  }

  #repeated(atom: string, { min, max, isLazy }: Quantifier): string {
    const lazy = isLazy !== this.#flags.swapGreed ? '?' : ''
    if (min === 0 && max === Infinity) return `${atom}*${lazy}`
    if (min === 1 && max === Infinity) return `${atom}+${lazy}`
    if (min === 0 && max === 1) return `${atom}?${lazy}`
    const copies = max === Infinity ? min : max
    if (copies * atom.length > maxLength) throw this.#error('expression too large')
    if (max === Infinity) return `${atom.repeat(min - 1)}${atom}+${lazy}`
    // x{2,4} → xx(?:x(?:x)?)?
    const optional = max - min
    return `${atom.repeat(min)}${`(?:${atom}`.repeat(optional)}${`)?${lazy}`.repeat(optional)}`
  }

  #quantifier(): Quantifier | undefined {
    const char = this.#peek()
    let counts: { min: number; max: number } | undefined
    if (char === '*') counts = { min: 0, max: Infinity }
    else if (char === '+') counts = { min: 1, max: Infinity }
    else if (char === '?') counts = { min: 0, max: 1 }
    if (counts) this.#position++
    else if (char === '{') counts = this.#count()
    if (!counts) return undefined
    return { ...counts, isLazy: this.#take('?') }
  }

  /** A brace that is no count is itself. */
  #count(): { min: number; max: number } | undefined {
    const match = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#source.slice(this.#position, this.#position + 24))
    if (!match) return undefined
    const min = Number(match[1])
    const max = match[2] === undefined ? min : match[3] ? Number(match[3]) : Infinity
    if (min > maxRepeat || (max !== Infinity && (max > maxRepeat || max < min))) {
      throw this.#error('invalid repeat count', match[0])
    }
    this.#position += match[0].length
    return { min, max }
  }

  #atom(): string {
    const char = this.#next()
    switch (char) {
      case '(':
        return this.#group()
      case '[':
        return this.#class()
      case '.':
        return this.#flags.dotAll ? '[^]' : '[^\\n]'
      case '^':
      case '$':
        return char
      case '*':
      case '+':
      case '?':
        throw this.#error('missing argument to repetition operator', char)
      case '\\':
        return this.#escape()
      default:
        return this.#literal(char.charCodeAt(0))
    }
  }

  #group(): string {
    const outer = this.#flags
    if (++this.#depth > 200) throw this.#error('expression nests too deeply')
    if (this.#take('?')) {
      const named = /^P?<[A-Za-z_]\w*>/.exec(this.#source.slice(this.#position))
      if (named) this.#position += named[0].length
      else {
        const flags = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(this.#source.slice(this.#position, this.#position + 16))
        if (!flags) {
          throw this.#error(
            'invalid or unsupported Perl syntax',
            this.#source.slice(this.#position - 2, this.#position + 1),
          )
        }
        this.#position += flags[0].length
        this.#flags = this.#changedFlags(flags[1] ?? '', flags[2] ?? '')
        if (flags[3] === ')') {
          // They hold to the end of the group that they stand in.
          this.#depth--
          return ''
        }
      }
    }
    const body = this.#alternation()
    if (!this.#take(')')) throw this.#error('missing closing )')
    this.#flags = outer
    this.#depth--
    return `(?:${body})`
  }

  #changedFlags(on: string, off: string): Flags {
    const is = (flag: string, before: boolean) => (on.includes(flag) ? true : off.includes(flag) ? false : before)
    this.isMultiline ||= on.includes('m')
    const { ignoreCase, dotAll, swapGreed } = this.#flags
    return { ignoreCase: is('i', ignoreCase), dotAll: is('s', dotAll), swapGreed: is('U', swapGreed) }
  }

  #literal(code: number): string {
    const ranges = this.#folded([[code, code]])
    return ranges.length > 1 ? classOf(ranges, false) : unit(code)
  }

  #escape(): string {
    const char = this.#next('trailing backslash at end of expression')
    switch (char) {
      case 'b':
      case 'B':
        return `\\${char}`
      case 'A':
        return '^'
      case 'z':
        return '$'
      case 'Q': {
        const end = this.#source.indexOf('\\E', this.#position)
        const quoted = this.#source.slice(this.#position, end < 0 ? undefined : end)
        this.#position = end < 0 ? this.#source.length : end + 2
        return Array.from(quoted, (one) => this.#literal(one.charCodeAt(0))).join('')
      }
      default: {
        const known = this.#classEscape(char)
        return known ? classOf(known, false) : this.#literal(this.#codeEscape(char))
      }
    }
  }

  /** \d, \pL and the like, as ranges. */
  #classEscape(char: string): Range[] | undefined {
    const perl = perlClasses[char.toLowerCase()]
    if (perl && char !== 'P') return char === char.toLowerCase() ? perl : complement(perl)
    if (char !== 'p' && char !== 'P') return undefined
    const name = /^\{\^?[A-Za-z_]+\}|^[A-Za-z]/.exec(this.#source.slice(this.#position))?.[0]
    if (name === undefined) throw this.#error('invalid character class range', `\\${char}`)
    this.#position += name.length
    const plain = name.replace(/[{}^]/g, '')
    const ranges = unicodeClass(plain)
    if (!ranges) throw this.#error('invalid character class range', `\\${char}${name}`)
    return (char === 'P') !== name.includes('^') ? complement(ranges) : ranges
  }

  #codeEscape(char: string): number {
    const simple = simpleEscapes[char]
    if (simple !== undefined) return simple
    if (char === 'x') {
      const hex = /^\{([0-9A-Fa-f]{1,6})\}|^([0-9A-Fa-f]{2})/.exec(this.#source.slice(this.#position))
      if (hex) {
        this.#position += hex[0].length
        return Number.parseInt(hex[1] ?? hex[2] ?? '', 16)
      }
    }
    if (/[0-7]/.test(char)) {
      const octal = /^[0-7]{0,2}/.exec(this.#source.slice(this.#position))?.[0] ?? ''
      if (char === '0' || octal !== '') {
        this.#position += octal.length
        return Number.parseInt(char + octal, 8)
      }
    }
    if (/[A-Za-z0-9]/.test(char)) throw this.#error('invalid escape sequence', `\\${char}`)
    return char.charCodeAt(0)
  }

  #class(): string {
    const start = this.#position - 1
    const isNegated = this.#take('^')
    const ranges: Range[] = []
    let isFirst = true
    while (isFirst || this.#peek() !== ']') {
      isFirst = false
      if (this.#position >= this.#source.length) throw this.#error('missing closing ]', this.#source.slice(start))
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.#source.slice(this.#position))
      if (posix) {
        const known = posixClasses[posix[2] ?? '']
        if (!known) throw this.#error('invalid character class range', posix[0])
        ranges.push(...(posix[1] ? complement(known) : known))
        this.#position += posix[0].length
        continue
      }
      const low = this.#classMember(ranges)
      if (low === undefined) continue
      let high = low
      if (
        this.#peek() === '-' &&
        this.#source[this.#position + 1] !== ']' &&
        this.#position + 1 < this.#source.length
      ) {
        const from = this.#position - 1
        this.#position++
        high = this.#classMember([]) ?? -1
        if (high < low) throw this.#error('invalid character class range', this.#source.slice(from, this.#position))
      }
      ranges.push([low, high])
    }
    this.#position++
    return classOf(this.#folded(ranges), isNegated)
  }

  /** One character of a class, or undefined if it was a whole class, which goes into `ranges`. */
  #classMember(ranges: Range[]): number | undefined {
    const char = this.#next()
    if (char !== '\\') return char.charCodeAt(0)
    const escaped = this.#next('trailing backslash at end of expression')
    const known = this.#classEscape(escaped)
    if (!known) return this.#codeEscape(escaped)
    ranges.push(...known)
    return undefined
  }

  #folded(ranges: Range[]): Range[] {
    if (!this.#flags.ignoreCase) return ranges
    return ranges.flatMap((range) => [range, ...shifted(range, 65, 90, 32), ...shifted(range, 97, 122, -32)])
  }

  #peek(): string {
    return this.#source[this.#position] ?? ''
  }

  #next(problem = 'missing argument'): string {
    if (this.#position >= this.#source.length) throw this.#error(problem)
    return this.#source[this.#position++] ?? ''
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#position++
    return true
  }

  #error(problem: string, where = this.#source): CelError {
    return new CelError(`error parsing regexp: ${problem}: \`${where}\``)
  }
}

interface Quantifier {
  min: number
  max: number
  isLazy: boolean
}
