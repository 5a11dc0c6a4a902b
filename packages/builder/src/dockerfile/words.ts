/**
 * How the arguments of an instruction are cut apart. Nothing is expanded here and quotes stay in the words: expansion
 * needs to know what was quoted, and happens when the step runs.
 */

class WordError extends Error {}

/** Blank-separated words; blanks inside quotes and after the escape character do not separate. */
export function splitWords(text: string, escape: string): string[] {
  const words: string[] = []
  let word = ''
  let started = false
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (quote === '' && /\s/.test(char)) {
      if (started) words.push(word)
      word = ''
      started = false
      continue
    }
    started = true
    word += char
    if (char === escape && quote !== "'") word += text.charAt(++at)
    else if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
  }
  if (started) words.push(word)
  return words
}

/** `["a", "b"]` as a list; undefined for anything that is no JSON array, which then is meant as plain text. */
export function parseJsonForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined
  const list = parseOrUndefined(text)
  if (!Array.isArray(list)) return undefined
  if (!list.every((item) => typeof item === 'string')) {
    throw new WordError('when using JSON array syntax, arrays must be comprised of strings only')
  }
  return list
}

/** A list in JSON form, or else words cut at blanks without regard to quotes, as COPY, VOLUME and EXPOSE have it. */
export function jsonFormOrBlanks(text: string): string[] {
  return parseJsonForm(text) ?? splitBlanks(text)
}

export function splitBlanks(text: string): string[] {
  return text.split(/[\t\v\f\r ]+/).filter((word) => word !== '')
}

/** ENV and LABEL: `name=value …`, or the old form `name value with blanks`. */
export function parsePairs(text: string, keyword: string, escape: string): [string, string][] {
  const words = splitWords(text, escape)
  const first = words[0]
  if (first === undefined) throw new WordError(`${keyword} requires at least one argument`)
  const pairs: [string, string][] = []
  if (!first.includes('=')) {
    const match = /^(\S+)\s+([^]+)$/.exec(text)
    if (!match) throw new WordError(`${keyword} must have two arguments`)
    pairs.push([match[1] ?? '', match[2] ?? ''])
  } else {
    for (const word of words) {
      const equals = word.indexOf('=')
      if (equals < 0) {
        throw new WordError(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`)
      }
      pairs.push([word.slice(0, equals), word.slice(equals + 1)])
    }
  }
  if (pairs.some(([name]) => name === '')) throw new WordError(`${keyword} names can not be blank`)
  return pairs
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // `[ -f x ] && y` is a shell command, not a broken list.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
