/**
 * Regular expressions as Go writes them (RE2), for the `pattern` of a schema: the few things that JavaScript spells
 * differently are translated. Callers may rely on: undefined for what Go would refuse to compile; a pattern is compiled
 * once. JavaScript backtracks, RE2 does not, so what only JavaScript has (lookaround, back references) is refused.
 */

const compiled = new Map<string, RegExp | undefined>()
/** Patterns come from definitions, which are few; this only keeps a mistake from growing without end. */
const maxCompiled = 10_000

export function goPattern(pattern: string): RegExp | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern)
  if (compiled.size >= maxCompiled) compiled.clear()
  const expression = compile(pattern)
  compiled.set(pattern, expression)
  return expression
}

const classes: Record<string, string> = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: 'a-zA-Z0-9_',
  xdigit: '0-9A-Fa-f',
}

function compile(pattern: string): RegExp | undefined {
  if (/\(\?(?:[=!]|<[=!])|\\[1-9]/.test(pattern)) return undefined
  const [, flags = '', rest = ''] = /^(?:\(\?([imsU]+)\))?([^]*)$/.exec(pattern) ?? []
  const source = translate(rest)
  try {
    return new RegExp(source, `u${flags.replace('U', '')}`)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

/**
 * The pieces of a pattern that JavaScript's Unicode mode may spell differently: a quoted stretch, a Unicode class, a
 * code point, any other escape, a POSIX class, a named group, the beginning and end of a class, a count, a brace.
 */
const piece =
  /\\Q([^]*?)(?:\\E|$)|\\([pP])(?:\{(\w+)\}|(\w))|\\x\{([0-9a-fA-F]+)\}|\\([^])|\[:(\w+):\]|\(\?P<|\[\^?\]?|\]|\{\d+(?:,\d*)?\}|[{}]/g

function translate(source: string): string {
  let inClass = false
  return source.replace(piece, (whole: string, ...groups: (string | undefined)[]) => {
    const [quoted, property, longName, letter, codePoint, escaped, posix] = groups
    if (quoted !== undefined) return quoted.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    if (property)
      return `\\${property}{${longName && longName.length > 2 ? `Script=${longName}` : (longName ?? letter)}}`
    if (codePoint) return `\\u{${codePoint}}`
    if (escaped !== undefined) return translateEscape(escaped, inClass)
    if (posix && inClass) return classes[posix] ?? whole
    if (whole === '(?P<') return '(?<'
    if (whole.startsWith('[')) {
      if (inClass) return `\\${whole}`
      inClass = true
      return whole.endsWith(']') ? `${whole.slice(0, -1)}\\]` : whole
    }
    if (whole === ']') {
      const closes = inClass
      inClass = false
      return closes ? whole : '\\]'
    }
    return whole.length === 1 && !inClass ? `\\${whole}` : whole
  })
}

/** Unicode mode knows only some escapes of punctuation; the others stand for themselves. */
function translateEscape(escaped: string, inClass: boolean): string {
  if (escaped === 'A') return '(?<![^])'
  if (escaped === 'z') return '(?![^])'
  if (escaped === 'a') return '\\x07'
  if (/[a-zA-Z0-9]/.test(escaped) || /[\^$\\.*+?()[\]{}|/]/.test(escaped)) return `\\${escaped}`
  return escaped === '-' && inClass ? '\\-' : escaped
}
