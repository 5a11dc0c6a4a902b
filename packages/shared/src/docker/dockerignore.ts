/**
 * `.dockerignore`: which files of a build context do not exist for the build. Also the patterns of COPY's wildcards
 * and `--exclude`, which follow the same rules for `*`, `?`, `[a-z]` and (here only) `**`. Pure.
 *
 * The last pattern that matches a path, or one of its parents, decides; `!` takes an exclusion back, also below a
 * directory that is excluded. Follows github.com/moby/patternmatcher, and BuildKit's walk (fsutil): a directory that is
 * excluded exists only if something in it does.
 */
import { posix } from 'node:path'

interface Pattern {
  text: string
  expression: RegExp
  isException: boolean
}

export class IgnorePatterns {
  readonly #patterns: Pattern[]

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => {
      const isException = pattern.startsWith('!')
      const text = isException ? pattern.slice(1) : pattern
      return { text, expression: patternExpression(text), isException }
    })
  }

  /** The lines of a `.dockerignore`; `#` comments and empty lines are skipped. */
  static parse(text: string): IgnorePatterns {
    const lines = text
      .replace(/^\uFEFF/, '')
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.trim())
      .filter((line) => line !== '')
    return new IgnorePatterns(lines.map(cleanLine).filter((line) => line !== '' && line !== '.'))
  }

  /** Whether the path (relative, clean) is excluded. */
  excludes(path: string): boolean {
    const parts = path.split('/')
    const candidates = parts.map((_, index) => parts.slice(0, index + 1).join('/'))
    let excluded = false
    for (const { expression, isException } of this.#patterns) {
      if (isException === excluded && candidates.some((candidate) => expression.test(candidate)))
        excluded = !isException
    }
    return excluded
  }

  /** Whether the path exists for the build. `list` names what is in a directory; of anything else it gives nothing. */
  keeps(path: string, list: (path: string) => readonly string[]): boolean {
    if (!this.excludes(path)) return true
    return this.#mayKeepBelow(path) && list(path).some((name) => this.keeps(`${path}/${name}`, list))
  }

  /** An exception with a wildcard may apply anywhere; of others it is plain where they lead. */
  #mayKeepBelow(path: string): boolean {
    return this.#patterns.some(
      ({ text, isException }) => isException && (hasWildcard(text) || `${text}/`.startsWith(`${path}/`)),
    )
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0
  }
}

/** A pattern as an expression for whole paths. `**` stands for any number of directories. */
export function patternExpression(pattern: string): RegExp {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at)
    if (char === '*') {
      if (pattern.charAt(at + 1) !== '*') {
        source += '[^/]*'
        continue
      }
      at += 1
      if (pattern.charAt(at + 1) === '/') at += 1
      source += at + 1 >= pattern.length ? '.*' : '(?:.*/)?'
    } else if (char === '?') source += '[^/]'
    else if (char === '[') {
      const end = pattern.indexOf(']', at + 2)
      if (end < 0) throw new Error(`syntax error in pattern: ${pattern}`)
      source += pattern.slice(at, end + 1)
      at = end
    } else if (char === '\\' && at + 1 < pattern.length) source += escapeCharacter(pattern.charAt(++at))
    else source += escapeCharacter(char)
  }
  return new RegExp(`^${source}$`, 's')
}

export function hasWildcard(text: string): boolean {
  return /[*?[]/.test(text)
}

function cleanLine(line: string): string {
  const isException = line.startsWith('!')
  const pattern = isException ? line.slice(1).trim() : line
  const clean = posix.normalize(pattern).replace(/^\/+/, '').replace(/\/+$/, '')
  return (isException ? '!' : '') + clean
}

function escapeCharacter(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|]/, '\\$&')
}
