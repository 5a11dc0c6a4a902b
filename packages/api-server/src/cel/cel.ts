/**
 * CEL as Kubernetes speaks it: the Common Expression Language of policies, match conditions and the rules of custom
 * resources. The language itself (parsing, type checks, evaluation) is @marcbachmann/cel-js; Kubernetes' functions,
 * its limits, its equality and its words for errors are here.
 *
 * An expression is compiled twice. Once against the types of the variables that it may use, to find what is wrong
 * with it before anybody depends on it; that program is thrown away. And once with every variable `dyn`, which is
 * what runs: objects are then plain Maps and lists, and need no wrapping. Compiling costs tens of microseconds,
 * evaluating one or two, so callers keep programs.
 *
 * Get it by `loadCel()` (load-cel.ts), which most clusters never do.
 *
 * Where it differs from cel-go: list and map literals may mix types; keys of map literals are text; there are no
 * optional elements in literals (`[?x]`, `{?k: v}`), no messages (`Type{field: value}`) and no identifiers in
 * backquotes.
 */

import type { Environment, Optional, ParseResult } from '@marcbachmann/cel-js'
import type { Duration } from '@marcbachmann/cel-js/evaluator'
import { CelError, compileError, evaluationError } from './cel-error.ts'
import { type CelType, escapeFieldName } from './cel-type.ts'
import { celEquals, toCelValue } from './cel-values.ts'
import { CostBudget, metered, spend, spendOn } from './cost-budget.ts'
import { registerAuthorizer } from './library/authorizer.ts'
import { registerFormats } from './library/format.ts'
import { allowAnyOperandOfHas } from './library/has.ts'
import type { Library } from './library/library.ts'
import { registerLists } from './library/lists.ts'
import { registerMacros } from './library/macros.ts'
import { registerNetwork } from './library/network.ts'
import { registerQuantity } from './library/quantity.ts'
import { registerSemver } from './library/semver.ts'
import { registerStrings } from './library/strings.ts'
import { registerTimes } from './library/times.ts'
import { matchesRegex } from './linear-regex.ts'
import { estimateCost } from './static-cost.ts'

/** The library's classes. */
export interface CelJs {
  Environment: typeof Environment
  Optional: typeof Optional
  Duration: typeof Duration
}

export interface CompileOptions {
  /** What it must evaluate to; `dyn` passes, and is looked at when it is evaluated. */
  returns?: readonly ('bool' | 'string' | 'null' | 'int')[]
}

/**
 * Upstream limits what somebody can make the server parse (k8s.io/apiserver/pkg/cel/limits.go) by the object's size.
 */
const limits = { maxAstNodes: 20_000, maxDepth: 250 }
const lenient = { enableOptionalTypes: true, homogeneousAggregateLiterals: false, limits }

export class Cel {
  readonly #base: Environment
  readonly #running: Environment
  readonly #durationOf: (text: string) => unknown

  constructor({ Environment: Environments, Optional: Optionals, Duration: Durations }: CelJs) {
    this.#base = new Environments(lenient)
    const library: Library = { environment: this.#base, Optional: Optionals, Duration: Durations }
    registerStrings(library)
    registerLists(library)
    registerMacros(library)
    registerTimes(library)
    registerQuantity(library)
    registerSemver(library)
    registerNetwork(library)
    registerFormats(library)
    registerAuthorizer(library)
    this.#running = this.#base.clone({ ...lenient, unlistedVariablesAreDyn: true })
    meter(this.#running)
    const toDuration = this.#running.parse('duration(text)')
    this.#durationOf = (text) => {
      try {
        return toDuration({ text }) as unknown
      } catch {
        // Formats are validated elsewhere.
        return text
      }
    }
  }

  /** The names that expressions may use, each with what is known of it. Keep it: it is costly to make. */
  environment(variables: Record<string, CelType>): CelEnvironment {
    const checking = this.#base.clone(lenient)
    const declared: Declared = new Map()
    for (const [name, type] of Object.entries(variables)) {
      checking.registerVariable(name, declare(checking, type, `self.${name}`, declared))
    }
    return new CelEnvironment(variables, checking, this.#running)
  }

  /** JSON as expressions see it. With a type, its text becomes times and its field names are escaped. */
  toCelValue(value: unknown, type?: CelType): unknown {
    return toCelValue(value, type, this.#durationOf)
  }
}

/** The names of types that are registered already: one object is one type, so `self == oldSelf` can be compared. */
type Declared = Map<CelType, string>

/** Registers objects as types, so that a field which is not there is found; returns the name of the type. */
function declare(environment: Environment, type: CelType, path: string, declared: Declared): string {
  switch (type.kind) {
    case 'list':
      return `list<${declare(environment, type.of, `${path}.idx`, declared)}>`
    case 'map':
      return `map<string, ${declare(environment, type.of, `${path}.entry`, declared)}>`
    case 'object': {
      const known = declared.get(type)
      if (known !== undefined) return known
      declared.set(type, path)
      const fields: Record<string, string> = {}
      for (const [name, field] of Object.entries(type.fields)) {
        const escaped = escapeFieldName(name)
        if (escaped !== undefined) fields[escaped] = declare(environment, field, `${path}.${escaped}`, declared)
      }
      environment.registerType(path, { fields })
      environment.registerOperator(`${path} == ${path}`, celEquals)
      return path
    }
    case 'timestamp':
      return 'google.protobuf.Timestamp'
    case 'duration':
      return 'google.protobuf.Duration'
    default:
      return type.kind
  }
}

export class CelEnvironment {
  readonly #variables: Record<string, CelType>
  readonly #checking: Environment
  readonly #running: Environment

  constructor(variables: Record<string, CelType>, checking: Environment, running: Environment) {
    this.#variables = variables
    this.#checking = checking
    this.#running = running
  }

  /** Throws CelError 'compile'. */
  compile(source: string, options: CompileOptions = {}): CelProgram {
    const type = this.typeOf(source)
    const { returns } = options
    if (returns && type !== 'dyn' && !returns.some((one) => one === type)) {
      const wanted = returns.length > 1 ? `one of [${returns.join(' ')}]` : returns[0]
      throw new CelError(`must evaluate to ${wanted}`, 'compile')
    }
    const parsed = this.#running.parse(source)
    allowAnyOperandOfHas(parsed.ast)
    const { valid, error } = parsed.check()
    if (!valid) throw compileError(error, source)
    watchWork(parsed.ast)
    return new CelProgram({ source, type, parsed, returns, variables: this.#variables })
  }

  /** What it evaluates to: "bool", "list<string>", "dyn" … Throws CelError 'compile'. */
  typeOf(source: string): string {
    let parsed: ParseResult
    try {
      parsed = this.#checking.parse(source)
    } catch (cause) {
      throw compileError(cause, source)
    }
    allowAnyOperandOfHas(parsed.ast)
    const { valid, type, error } = parsed.check()
    if (!valid) throw compileError(error, source)
    return type ?? 'dyn'
  }
}

export class CelProgram {
  readonly source: string
  /** As `CelEnvironment.typeOf` gives it. */
  readonly type: string
  readonly #parsed: ParseResult
  readonly #returns: readonly string[] | undefined
  readonly #variables: Record<string, CelType>

  constructor(parts: {
    source: string
    type: string
    parsed: ParseResult
    returns: readonly string[] | undefined
    variables: Record<string, CelType>
  }) {
    this.source = parts.source
    this.type = parts.type
    this.#parsed = parts.parsed
    this.#returns = parts.returns
    this.#variables = parts.variables
  }

  /** What it can cost at most, by the sizes of its variables' types (static-cost.ts). */
  estimateCost(): number {
    return estimateCost(this.#parsed.ast, this.#variables)
  }

  /**
   * Variables are CEL values (`Cel.toCelValue`); all that the environment declares must be there, with null for
   * nothing. Throws CelError 'evaluation' or 'cost'.
   */
  evaluate(variables: Record<string, unknown>, budget = new CostBudget()): unknown {
    let result: unknown
    try {
      result = metered(budget, () => this.#parsed(variables) as unknown)
    } catch (cause) {
      throw evaluationError(cause)
    }
    if (this.#returns && !this.#returns.includes(kindOf(result))) {
      throw new CelError(`cel expression evaluated to ${kindOf(result)}, want ${this.#returns.join(' or ')}`)
    }
    return result
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  return typeof value === 'string' ? 'string' : typeof value === 'number' ? 'double' : 'object'
}

/** A node of the library's syntax tree, as far as we look into it. */
interface Syntax {
  op: string
  args: unknown
  handle?: (...values: unknown[]) => unknown
  evaluate(evaluator: Evaluator, syntax: Syntax, context: unknown): unknown
  [isWatched]?: boolean
}
interface Evaluator {
  run(syntax: Syntax, context: unknown): unknown
}

const isWatched = Symbol('isWatched')

/**
 * Makes each step cost. Every function is called with the library's evaluator as `this`, and every part of an
 * expression is evaluated by that evaluator's `run`: so one function that replaces it sees each step.
 */
function meter(environment: Environment): void {
  environment.registerFunction(
    'meterThisEnvironment(): bool',
    function install(this: Evaluator) {
      this.run = (syntax, context) => {
        const { op } = syntax
        if (op !== 'value') spend(op === 'list' ? 10 : op === 'map' ? 30 : 1)
        if (syntax[isWatched] === undefined) watchWork(syntax)
        return syntax.evaluate(this, syntax, context)
      }
      return true
    },
    { async: false },
  )
  environment.evaluate('meterThisEnvironment()')
}

/**
 * Puts a price on what takes time in proportion to its operands, and replaces what the library does otherwise than CEL:
 * equality that depends on the order of keys, and regular expressions that can take exponential time.
 */
function watchWork(node: unknown): void {
  const syntax = node as Syntax
  syntax[isWatched] = true
  const { handle, op } = syntax
  if (!handle) return
  switch (op) {
    case '==':
      syntax.handle = (a, b) => (spendOn(a), celEquals(a, b))
      return
    case '!=':
      syntax.handle = (a, b) => (spendOn(a), !celEquals(a, b))
      return
    case 'in':
      syntax.handle = (a, b, ...rest) => {
        spendOn(b)
        return Array.isArray(b) ? b.some((element) => celEquals(a, element)) : handle(a, b, ...rest)
      }
      return
    case 'rcall':
      syntax.handle = (values, ...rest) => {
        const [receiver, ...given] = values as unknown[]
        spendOn(receiver, ...given)
        const [method] = syntax.args as [string]
        if (method === 'matches' && typeof receiver === 'string' && typeof given[0] === 'string') {
          spend((receiver.length * given[0].length) / 40)
          return matchesRegex(receiver, given[0])
        }
        if (method === 'join' && Array.isArray(receiver))
          spendOn(...(receiver as unknown[]), ...repeated(given[0], receiver))
        return handle(values, ...rest)
      }
      return
    case 'call':
      syntax.handle = (values, ...rest) => (spendOn(...(values as unknown[])), handle(values, ...rest))
      return
    case '+':
    case '<':
    case '<=':
    case '>':
    case '>=':
      syntax.handle = (a, b, ...rest) => (spendOn(a, b), handle(a, b, ...rest))
  }
}

/** The separators of a join are as many as its parts. */
function repeated(separator: unknown, parts: readonly unknown[]): unknown[] {
  if (typeof separator !== 'string' || separator === '') return []
  spend((separator.length * parts.length) / 10)
  return []
}
