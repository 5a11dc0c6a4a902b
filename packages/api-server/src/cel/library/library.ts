/**
 * What a library of functions is registered with: the environment, and the classes of the values that the CEL library
 * makes itself. The CEL library is loaded only when an expression is met, so nothing here imports it at start.
 */

import type { Environment, Optional } from '@marcbachmann/cel-js'
import type { Duration } from '@marcbachmann/cel-js/evaluator'

export interface Library {
  environment: Environment
  Optional: typeof Optional
  Duration: typeof Duration
}

/** A function of CEL: its signature as the library writes them, "string.charAt(int): string". */
export type FunctionTable = Record<string, (...values: never[]) => unknown>

export function registerFunctions({ environment }: Library, functions: FunctionTable): void {
  for (const [signature, handler] of Object.entries(functions)) {
    environment.registerFunction(signature, handler as (...values: unknown[]) => unknown, { async: false })
  }
}

/** A type of values that functions make. Expressions see no fields of it but these. */
export function registerClass(
  { environment }: Library,
  name: string,
  constructor: new (...values: never[]) => unknown,
  fields: Record<string, string> = {},
): void {
  environment.registerType(name, { ctor: constructor, fields })
}

/** A prefix of functions, as in `ip.isCanonical()`: a constant that has them as methods. */
export function registerNamespace(library: Library, name: string, functions: FunctionTable): void {
  const type = `${name}Functions`
  // Each needs a class of its own: the library tells types by their constructors.
  const Namespace = class {
    readonly prefix = name
  }
  registerClass(library, type, Namespace)
  library.environment.registerConstant(name, type, new Namespace())
  registerFunctions(
    library,
    Object.fromEntries(
      Object.entries(functions).map(([signature, handler]) => [
        `${type}.${signature}`,
        (_: never, ...values: never[]) => handler(...values),
      ]),
    ),
  )
}
