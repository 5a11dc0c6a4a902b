/**
 * Macros that the CEL library lacks: comprehensions of two variables (`list.all(i, value, …)`,
 * `map.transformList(key, value, …)`; cel-go/ext/comprehensions.go) and `optMap`, `optFlatMap` of optional values.
 *
 * A macro is given its arguments as syntax. It checks them in a context in which its variables have types, and
 * evaluates them in one in which they have values. The library makes such contexts, one for each place in an
 * expression.
 */

import { CelError } from '../cel-error.ts'
import { celEquals, entriesOf, isMapLike } from '../cel-values.ts'
import { spend, spendOn } from '../cost-budget.ts'
import { type Library, registerFunctions } from './library.ts'

/** The library's own, as far as macros meet them. */
interface Syntax {
  op: string
  args: unknown
}
interface Type {
  kind: string
  keyType?: Type
  valueType: Type
  isDynOrBool(): boolean
}
interface Context {
  forkWithVariable(name: string, type: Type): Context
  reuse(outer: Context): Context
  setIterValue(value: unknown, evaluator: Evaluator): Context
}
interface Checker {
  check(syntax: Syntax, context: Context): Type
  getType(name: string): Type
  createError(code: string, message: string, syntax: Syntax): Error
  registry: { getListType(of: Type): Type; getMapType(key: Type, value: Type): Type; getOptionalType(of: Type): Type }
}
interface Evaluator {
  run(syntax: Syntax, context: Context): unknown
}
interface Call {
  args: Syntax[]
  receiver: Syntax
}

export function registerMacros(library: Library): void {
  for (const comprehension of comprehensions) {
    for (const args of comprehension.arities) {
      const signature = `list.${comprehension.name}(${Array(args).fill('ast').join(', ')}): dyn`
      registerFunctions(library, { [signature]: (call: Call) => expanded(call, comprehension) })
    }
  }
  registerOptionalMacros(library)
}

interface Comprehension {
  name: string
  /** How many arguments it takes; the last one is evaluated for each entry, one before it filters. */
  arities: readonly number[]
  type(checker: Checker, key: Type, last: Type): Type
  /** Takes the entries one by one; `last()` evaluates the last argument for the one at hand. */
  fold(entries: Entries): unknown
}

/** Sets the two variables to each entry in turn that passes the filter. */
type Entries = Iterable<{ key: unknown; last: () => unknown }>

const comprehensions: Comprehension[] = [
  { name: 'all', arities: [3], type: bool, fold: (entries) => !anyIs(entries, false) },
  { name: 'exists', arities: [3], type: bool, fold: (entries) => anyIs(entries, true) },
  { name: 'existsOne', arities: [3], type: bool, fold: countsOne },
  { name: 'exists_one', arities: [3], type: bool, fold: countsOne },
  {
    name: 'transformList',
    arities: [3, 4],
    type: (checker, _, last) => checker.registry.getListType(last),
    fold: (entries) => Array.from(entries, ({ last }) => last()),
  },
  {
    name: 'transformMap',
    arities: [3, 4],
    type: (checker, key, last) => checker.registry.getMapType(key, last),
    fold: (entries) => new Map(Array.from(entries, ({ key, last }) => [key, last()])),
  },
  {
    name: 'transformMapEntry',
    arities: [3, 4],
    type: (checker, _, last) => (last.kind === 'map' ? last : checker.getType('map')),
    fold: mergeEntries,
  },
]

function bool(checker: Checker): Type {
  return checker.getType('bool')
}

/** An error counts only if no other entry decides. */
function anyIs(entries: Entries, wanted: boolean): boolean {
  let failure: unknown
  for (const { last } of entries) {
    try {
      if (truth(last()) === wanted) return true
    } catch (error) {
      failure ??= error
    }
  }
  if (failure) throw failure
  return false
}

function countsOne(entries: Entries): boolean {
  return Array.from(entries, ({ last }) => truth(last())).filter(Boolean).length === 1
}

function truth(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new CelError('no such overload')
  return value
}

function mergeEntries(entries: Entries): Map<unknown, unknown> {
  const merged = new Map<unknown, unknown>()
  for (const { last } of entries) {
    const made = last()
    if (!isMapLike(made)) throw new CelError('no such overload')
    for (const [key, value] of entriesOf(made)) {
      if (merged.has(key)) throw new CelError(`insert failed: key '${String(key)}' already exists`)
      merged.set(key, value)
    }
  }
  return merged
}

function expanded({ args, receiver }: Call, comprehension: Comprehension): object {
  const [keyName, valueName] = [identifier(args[0]), identifier(args[1])]
  const filter = args.length === 4 ? args[2] : undefined
  const last = args.at(-1) as Syntax
  let [keyContext, valueContext]: [Context?, Context?] = []
  return {
    async: false,
    /** For the estimate of its cost (static-cost.ts). */
    loop: { range: receiver, names: [keyName, valueName], bodies: filter ? [filter, last] : [last] },
    typeCheck(checker: Checker, _: unknown, context: Context): Type {
      const range = checker.check(receiver, context)
      const [key, value] = variableTypes(checker, range, receiver)
      keyContext = context.forkWithVariable(keyName, key)
      valueContext = keyContext.forkWithVariable(valueName, value)
      if (filter) mustBeBool(checker, filter, valueContext)
      const type = checker.check(last, valueContext)
      if (comprehension.type === bool) mustBeBool(checker, last, valueContext)
      return comprehension.type(checker, key, type)
    },
    evaluate(evaluator: Evaluator, _: unknown, context: Context): unknown {
      const range = evaluator.run(receiver, context)
      spendOn(range)
      const [outer, inner] = [keyContext?.reuse(context), valueContext]
      if (!outer || !inner) throw new CelError(`${comprehension.name} was not checked`)
      const bound = inner.reuse(outer)
      function* entries(): Generator<{ key: unknown; last: () => unknown }> {
        for (const [key, value] of pairs(range)) {
          spend(1)
          outer?.setIterValue(key, evaluator)
          bound.setIterValue(value, evaluator)
          if (filter && !truth(evaluator.run(filter, bound))) continue
          yield { key, last: () => evaluator.run(last, bound) }
        }
      }
      return comprehension.fold(entries())
    },
  }
}

function identifier(syntax: Syntax | undefined): string {
  if (syntax?.op === 'id' && typeof syntax.args === 'string') return syntax.args
  throw new CelError('argument must be a simple name', 'compile')
}

function variableTypes(checker: Checker, range: Type, syntax: Syntax): [key: Type, value: Type] {
  if (range.kind === 'list') return [checker.getType('int'), range.valueType]
  if (range.kind === 'map') return [range.keyType ?? checker.getType('dyn'), range.valueType]
  if (range.kind === 'dyn') return [checker.getType('dyn'), checker.getType('dyn')]
  const message = `expression of type '${String(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`
  throw checker.createError('invalid_comprehension_range', message, syntax)
}

function mustBeBool(checker: Checker, syntax: Syntax, context: Context): void {
  const type = checker.check(syntax, context)
  if (type.isDynOrBool()) return
  throw checker.createError('invalid_condition_type', `expected type 'bool' but found '${String(type)}'`, syntax)
}

function pairs(range: unknown): Iterable<[unknown, unknown]> {
  if (Array.isArray(range)) return range.map((value, i) => [BigInt(i), value])
  if (isMapLike(range)) return entriesOf(range)
  throw new CelError('no such overload')
}

function registerOptionalMacros(library: Library): void {
  const { Optional, environment } = library
  environment.registerOperator('optional<dyn> == optional<dyn>', celEquals)
  const macro = ({ args, receiver }: Call, isFlat: boolean): object => {
    const name = identifier(args[0])
    const expression = args[1] as Syntax
    let bound: Context | undefined
    return {
      async: false,
      loop: { range: receiver, names: [name], bodies: [expression], isOnce: true },
      typeCheck(checker: Checker, _: unknown, context: Context): Type {
        const optional = checker.check(receiver, context)
        bound = context.forkWithVariable(
          name,
          optional.kind === 'optional' ? optional.valueType : checker.getType('dyn'),
        )
        const type = checker.check(expression, bound)
        return isFlat ? type : checker.registry.getOptionalType(type)
      },
      evaluate(evaluator: Evaluator, _: unknown, context: Context): unknown {
        const optional = evaluator.run(receiver, context)
        if (!(optional instanceof Optional)) throw new CelError('no such overload')
        if (!optional.hasValue() || !bound) return Optional.none()
        const inner = bound.reuse(context).setIterValue(optional.value(), evaluator)
        const result = evaluator.run(expression, inner)
        return isFlat ? result : Optional.of(result)
      },
    }
  }
  registerFunctions(library, {
    'optional.optMap(ast, ast): dyn': (call: Call) => macro(call, false),
    'optional.optFlatMap(ast, ast): dyn': (call: Call) => macro(call, true),
    'OptionalNamespace.ofNonZeroValue(dyn): optional<dyn>': (_: never, value: unknown) =>
      isZero(value) ? Optional.none() : Optional.of(value),
  })
}

function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === false || value === 0 || value === 0n) return true
  if (Array.isArray(value)) return value.length === 0
  return isMapLike(value) && entriesOf(value).length === 0
}
