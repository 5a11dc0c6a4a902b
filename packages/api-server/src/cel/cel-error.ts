/**
 * What can go wrong with an expression, in the words of cel-go, which upstream shows to its users: it does not
 * compile (`ERROR: <input>:1:5: undeclared reference to 'x' (in container '')` with the line below), it fails (`no
 * such key: x`), or it takes too long.
 */

export type CelFailure = 'compile' | 'evaluation' | 'cost'

export class CelError extends Error {
  override readonly name = 'CelError'
  readonly failure: CelFailure

  constructor(message: string, failure: CelFailure = 'evaluation', options?: ErrorOptions) {
    super(message, options)
    this.failure = failure
  }
}

/** What the library throws, as far as we look into it. */
interface LibraryError extends Error {
  code?: string
  summary?: string
  range?: { start: number; end: number }
}

export function compileError(cause: unknown, source: string): CelError {
  const error = cause as LibraryError
  const start = error.range?.start ?? 0
  const before = source.slice(0, start).split('\n')
  const line = source.split('\n')[before.length - 1] ?? ''
  const column = before.at(-1)?.length ?? 0
  const where = `ERROR: <input>:${before.length}:${column + 1}: ${compileWords(error)}`
  return new CelError(`${where}\n | ${line}\n | ${'.'.repeat(column)}^`, 'compile', { cause })
}

function compileWords({ code = '', summary, message }: LibraryError): string {
  const words = summary ?? message
  switch (code) {
    case 'unknown_variable':
      return `undeclared reference to '${after(words, 'Unknown variable: ')}' (in container '')`
    case 'no_such_key':
      return `undefined field '${after(words, 'No such key: ')}'`
    case 'no_such_overload': {
      const binary = /^no such overload: (.*) (==|!=|<=|>=|<|>|in|[-+*/%]) (.*)$/.exec(words)
      if (binary)
        return `found no matching overload for '${operatorName(binary[2])}' applied to '(${binary[1]}, ${binary[3]})'`
      const unary = /^no such overload: ([!-])(.*)$/.exec(words)
      return unary ? `found no matching overload for '${unary[1]}_' applied to '(${unary[2]})'` : words
    }
    case 'no_matching_overload': {
      const method = /^found no matching overload for '(.*)\.(\w+)\((.*)\)'$/.exec(words)
      if (method) return `found no matching overload for '${method[2]}' applied to '${method[1]}.(${method[3]})'`
      const call = /^found no matching overload for '(\w+)\((.*)\)'$/.exec(words)
      return call ? `found no matching overload for '${call[1]}' applied to '(${call[2]})'` : words
    }
    default:
      return syntaxCodes.has(code) ? `Syntax error: ${words}` : words
  }
}

const syntaxCodes = new Set([
  'expected_token',
  'unexpected_token',
  'unexpected_character',
  'unterminated_string',
  'unterminated_triple_quoted_string',
  'invalid_escape_sequence',
  'reserved_identifier',
])

function operatorName(operator: string | undefined): string {
  return operator === 'in' ? '@in' : `_${operator}_`
}

/** `cause` may be ours already (a library function threw it) or the library's. */
export function evaluationError(cause: unknown): CelError {
  if (cause instanceof CelError) return cause
  const { code = '', summary, message } = cause as LibraryError
  return new CelError(runtimeWords(code, summary ?? message), 'evaluation', { cause })
}

function runtimeWords(code: string, words: string): string {
  switch (code) {
    case 'no_such_key':
      return `no such key: ${after(words, 'No such key: ')}`
    case 'unknown_variable':
      return `no such attribute(s): ${after(words, 'Unknown variable: ')}`
    case 'index_out_of_bounds':
      return `index out of bounds: ${/index (-?\d+)/.exec(words)?.[1] ?? ''}`
    case 'no_such_overload':
    case 'no_matching_overload':
    case 'invalid_logical_operand':
    case 'invalid_condition_type':
      return 'no such overload'
    case 'optional_value_missing':
      return 'optional.none() dereference'
    default:
      return words
  }
}

function after(words: string, prefix: string): string {
  return words.startsWith(prefix) ? words.slice(prefix.length) : words
}
