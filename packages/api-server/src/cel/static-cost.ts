/**
 * What an expression may cost at most, told from its text and the types of its variables, before it is ever
 * evaluated: a rule that goes through an unbounded list within an unbounded list is refused when it is written. Sizes
 * that nobody limits are as large as a request could make them. Follows cel-go/checker/cost.go and the size estimates
 * of k8s.io/apiserver/pkg/cel/common/schemas.go; like those it errs on the dear side.
 */

import { type CelType, dyn, escapeFieldName, listOf } from './cel-type.ts'

/** Upstream's limits: for one expression, and for all of a CustomResourceDefinition. */
export const staticCostLimit = 10_000_000
export const staticCostLimitOfDefinition = 100_000_000

const maxRequestBytes = 3 * 1024 * 1024

/** How many elements, entries or characters a value of this type can have. */
function largestSize(type: CelType): number {
  if (type.kind !== 'object' && type.maxSize !== undefined) return type.maxSize
  switch (type.kind) {
    case 'list':
      return Math.floor((maxRequestBytes - 2) / (smallestText(type.of) + 1))
    case 'map':
      return Math.floor((maxRequestBytes - 2) / (smallestText(type.of) + 6))
    case 'string':
    case 'bytes':
      return maxRequestBytes - 2
    case 'dyn':
      return maxRequestBytes
    default:
      return 1
  }
}

/** The fewest bytes that a value of this type takes in JSON. */
function smallestText({ kind }: CelType): number {
  if (kind === 'bool') return 4
  return kind === 'int' || kind === 'double' || kind === 'dyn' ? 1 : 2
}

interface Syntax {
  op: string
  args: unknown
  meta: { alternate?: Syntax; macro?: Macro }
}

/** What the library's macros and ours keep of their arguments. */
interface Macro {
  loop?: { range: Syntax; names: string[]; bodies: Syntax[]; isOnce?: boolean }
  /** cel.bind */
  var?: string
  val?: Syntax
  exp?: Syntax
  /** optional.or, orValue */
  receiver?: Syntax
  arg?: Syntax
}

interface Estimate {
  cost: number
  type: CelType
}

type Scope = Record<string, CelType>

/** `ast` is the library's syntax tree. */
export function estimateCost(ast: unknown, variables: Scope): number {
  return estimate(ast as Syntax, variables).cost
}

function estimate(syntax: Syntax, scope: Scope): Estimate {
  const { alternate, macro } = syntax.meta
  if (alternate) return estimate(alternate, scope)
  if (macro) return estimateMacro(macro, scope)
  const { op, args } = syntax
  switch (op) {
    case 'value':
      return { cost: 0, type: typeOfLiteral(args) }
    case 'id':
      return { cost: 1, type: scope[args as string] ?? dyn }
    case '.':
    case '.?': {
      const [object, field] = args as [Syntax, string]
      const { cost, type } = estimate(object, scope)
      return { cost: cost + 1, type: fieldOf(type, field) }
    }
    case '[]':
    case '[?]': {
      const [whole, index] = (args as [Syntax, Syntax]).map((one) => estimate(one, scope))
      return { cost: (whole?.cost ?? 0) + (index?.cost ?? 0) + 1, type: elementOf(whole?.type ?? dyn) }
    }
    case '?:': {
      const [condition, yes, no] = (args as Syntax[]).map((one) => estimate(one, scope)) as [
        Estimate,
        Estimate,
        Estimate,
      ]
      return { cost: condition.cost + Math.max(yes.cost, no.cost), type: larger(yes.type, no.type) }
    }
    case '&&':
    case '||':
      return { cost: sum((args as Syntax[]).map((one) => estimate(one, scope))), type: { kind: 'bool' } }
    case 'list': {
      const elements = (args as Syntax[]).map((one) => estimate(one, scope))
      return { cost: 10 + sum(elements), type: listOf(elements[0]?.type ?? dyn, elements.length) }
    }
    case 'map': {
      const entries = (args as [Syntax, Syntax][]).flat().map((one) => estimate(one, scope))
      return {
        cost: 30 + sum(entries),
        type: { kind: 'map', of: entries[1]?.type ?? dyn, maxSize: entries.length / 2 },
      }
    }
    case '!_':
    case '-_': {
      const { cost, type } = estimate(args as Syntax, scope)
      return { cost: cost + 1, type }
    }
    case 'comprehension':
      return estimateComprehension(args as Comprehension, scope)
    case 'accuPush': {
      const { cost, type } = estimate(args as Syntax, scope)
      return { cost: cost + 1, type: listOf(type) }
    }
    case 'accuValue':
    case 'accuInc':
      return { cost: 1, type: dyn }
    case 'call':
    case 'rcall':
      return estimateCall(args as [string, ...unknown[]], op === 'rcall', scope)
    default:
      return estimateOperator(op, args as [Syntax, Syntax], scope)
  }
}

/** As upstream has it, which counts no characters in keys: published CRDs rely on it (the Gateway API's). */
const mapKey: CelType = { kind: 'string', maxSize: 0 }

interface Comprehension {
  iterable: Syntax
  iterVarName: string
  step: Syntax
  kind?: string
}

function estimateComprehension({ iterable, iterVarName, step, kind }: Comprehension, scope: Scope): Estimate {
  const range = estimate(iterable, scope)
  const body = estimate(step, { ...scope, [iterVarName]: range.type.kind === 'map' ? mapKey : elementOf(range.type) })
  const size = largestSize(range.type)
  // Each turn also looks at what has been gathered, and whether to go on.
  const cost = range.cost + size * (body.cost + 2)
  if (kind === 'quantifier') return { cost, type: { kind: 'bool' } }
  return { cost, type: listOf(elementOf(body.type), size) }
}

function estimateMacro({ loop, var: name, val, exp, receiver, arg }: Macro, scope: Scope): Estimate {
  if (loop) {
    const range = estimate(loop.range, scope)
    const [first, second] = loop.names
    const names: Scope = {
      ...(first ? { [first]: loop.isOnce ? range.type : range.type.kind === 'list' ? { kind: 'int' } : mapKey } : {}),
      ...(second ? { [second]: elementOf(range.type) } : {}),
    }
    const bodies = loop.bodies.map((body) => estimate(body, { ...scope, ...names }))
    const size = loop.isOnce ? 1 : largestSize(range.type)
    return { cost: range.cost + size * (sum(bodies) + 2), type: listOf(bodies.at(-1)?.type ?? dyn, size) }
  }
  if (name !== undefined && val && exp) {
    const value = estimate(val, scope)
    const result = estimate(exp, { ...scope, [name]: value.type })
    return { cost: value.cost + result.cost + 1, type: result.type }
  }
  if (receiver && arg) {
    const [value, other] = [estimate(receiver, scope), estimate(arg, scope)]
    return { cost: value.cost + other.cost + 1, type: larger(value.type, other.type) }
  }
  return { cost: 1, type: { kind: 'bool' } } // has()
}

function estimateOperator(op: string, args: [Syntax, Syntax], scope: Scope): Estimate {
  const [left, right] = [estimate(args[0], scope), estimate(args[1], scope)]
  const sizes = [largestSize(left.type), largestSize(right.type)] as const
  const cost = left.cost + right.cost
  switch (op) {
    case 'in':
      return { cost: cost + Math.max(1, right.type.kind === 'map' ? 1 : sizes[1]), type: { kind: 'bool' } }
    case '+': {
      const size = sizes[0] + sizes[1]
      if (left.type.kind === 'list') return { cost: cost + 1, type: { ...left.type, maxSize: size } }
      if (left.type.kind !== 'string') return { cost: cost + 1, type: left.type }
      return { cost: cost + size / 10, type: { kind: 'string', maxSize: size } }
    }
    case '-':
    case '*':
    case '/':
    case '%':
      return { cost: cost + 1, type: left.type }
    default:
      // A comparison ends with the shorter one.
      return { cost: cost + Math.max(1, Math.min(...sizes) / 10), type: { kind: 'bool' } }
  }
}

const nominal = new Set(
  'serviceAccount path group resource subresource namespace name allowed reason error errored masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub size major minor patch'.split(
    ' ',
  ),
)

/** What a call returns that takes as long for a short argument as for a long one. */
const constantTime: Readonly<Record<string, CelType>> = {
  ...Object.fromEntries(['duration', 'timestamp', 'double', 'bool'].map((kind) => [kind, { kind } as CelType])),
  ...Object.fromEntries(
    'int uint size getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds'
      .split(' ')
      .map((name) => [name, { kind: 'int' } as const]),
  ),
  hasValue: { kind: 'bool' },
  type: dyn,
}

function estimateCall([name, ...rest]: [string, ...unknown[]], hasReceiver: boolean, scope: Scope): Estimate {
  const syntaxes = (hasReceiver ? [rest[0], ...(rest[1] as Syntax[])] : (rest[0] as Syntax[])) as Syntax[]
  const args = syntaxes.map((one) => estimate(one, scope))
  const cost = sum(args)
  const [first = 1, second = 1] = args.map(({ type }) => largestSize(type))
  if (name === 'check') return { cost: cost + 350_000, type: dyn }
  if (nominal.has(name)) return { cost: cost + 1, type: { kind: 'int' } }
  const constant = Object.hasOwn(constantTime, name) ? constantTime[name] : undefined
  if (constant) return { cost: cost + 1, type: constant }
  if (['dyn', 'value', 'of', 'ofNonZeroValue'].includes(name)) return { cost: cost + 1, type: args.at(-1)?.type ?? dyn }
  switch (name) {
    case 'matches':
    case 'find':
    case 'findAll':
      return { cost: cost + Math.ceil((1 + first) / 10) * Math.ceil(second / 4), type: resultOf(name, first) }
    case 'contains':
      return { cost: cost + Math.ceil(first / 10) * Math.ceil(second / 10), type: { kind: 'bool' } }
    case 'startsWith':
    case 'endsWith':
      return { cost: cost + Math.ceil(second / 10), type: { kind: 'bool' } }
    case 'isSorted':
    case 'sum':
    case 'min':
    case 'max':
    case 'indexOf':
    case 'lastIndexOf': {
      const [list] = args
      if (list?.type.kind !== 'list') return { cost: cost + Math.ceil(first / 10), type: { kind: 'int' } }
      return { cost: cost + first * Math.max(1, largestSize(list.type.of) / 10), type: list.type.of }
    }
    default:
      return { cost: cost + Math.ceil((first * 2) / 10), type: resultOf(name, first) }
  }
}

function resultOf(name: string, size: number): CelType {
  if (name === 'matches' || name.startsWith('is')) return { kind: 'bool' }
  if (name === 'findAll' || name === 'split') return listOf({ kind: 'string', maxSize: size }, size)
  return { kind: 'string', maxSize: size }
}

function fieldOf(type: CelType, field: string): CelType {
  if (type.kind === 'object') {
    const name = Object.keys(type.fields).find((one) => escapeFieldName(one) === field)
    return (name === undefined ? undefined : type.fields[name]) ?? dyn
  }
  return type.kind === 'map' ? type.of : dyn
}

function elementOf(type: CelType): CelType {
  return type.kind === 'list' || type.kind === 'map' ? type.of : dyn
}

function larger(a: CelType, b: CelType): CelType {
  return largestSize(a) >= largestSize(b) ? a : b
}

function typeOfLiteral(value: unknown): CelType {
  if (typeof value === 'string') return { kind: 'string', maxSize: value.length }
  return { kind: typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'double' : 'int' }
}

function sum(estimates: readonly Estimate[]): number {
  return estimates.reduce((total, { cost }) => total + cost, 0)
}
