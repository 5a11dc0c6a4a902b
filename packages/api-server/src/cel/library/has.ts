/**
 * `has(list[0].field)`: CEL allows any operand before the last dot, the library only a variable and its fields. The
 * published rules of the Gateway API use the former.
 *
 * The library decides when it checks types, by a function that each call of `has` brings along; this one takes its
 * place where it would refuse. What evaluates the call already runs whatever stands at the root.
 */

interface Syntax {
  op: string
  args: unknown
  meta: { alternate?: Syntax; macro?: HasMacro }
}
interface Checker {
  check(syntax: Syntax, context: unknown): unknown
  getType(name: string): unknown
}
interface HasMacro {
  args: Syntax[]
  typeCheck?(checker: Checker, macro: HasMacro, context: unknown): unknown
  /** The selections, the last one first, and what they begin at. */
  macroHasProps?: Syntax[]
}

/** Between parsing and checking. */
export function allowAnyOperandOfHas(root: unknown): void {
  const seen = new Set<object>()
  const waiting: unknown[] = [root]
  while (waiting.length > 0) {
    const node = waiting.pop()
    if (typeof node !== 'object' || node === null || seen.has(node)) continue
    seen.add(node)
    if (Array.isArray(node)) {
      waiting.push(...(node as unknown[]))
      continue
    }
    const { op, args, meta } = node as Partial<Syntax>
    waiting.push(args, meta?.alternate)
    if (op === 'call' && Array.isArray(args) && args[0] === 'has' && meta?.macro) allow(meta.macro)
    // A comprehension keeps its parts in an object.
    if (op === 'comprehension' && typeof args === 'object' && args !== null) waiting.push(...Object.values(args))
  }
}

function allow(macro: HasMacro): void {
  const selections: Syntax[] = []
  let base = macro.args[0]
  while (base?.op === '.' || base?.op === '.?') {
    selections.push(base)
    base = (base.args as [Syntax])[0]
  }
  if (!base || base.op === 'id' || selections[0]?.op !== '.') return
  const [root] = [base]
  macro.typeCheck = (checker, { macroHasProps }, context) => {
    if (!macroHasProps) checker.check(root, context)
    macro.macroHasProps = [...selections, root]
    return checker.getType('bool')
  }
}
