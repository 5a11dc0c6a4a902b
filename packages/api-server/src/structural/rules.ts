/**
 * The rules of a schema (`x-kubernetes-validations`), compiled. A schema that has some becomes a tree beside it, whose
 * nodes are the places with rules and the way to them. Follows apiextensions-apiserver's
 * pkg/apiserver/schema/cel/compilation.go.
 *
 * A rule that mentions `oldSelf` is a transition rule: it is asked only where there is an old value to compare with,
 * unless it takes that as an optional (`optionalOldSelf`).
 */

import type { Cel, CelEnvironment, CelProgram } from '../cel/cel.ts'
import { CelError } from '../cel/cel-error.ts'
import { dyn, type CelType } from '../cel/cel-type.ts'
import { celTypeOf, isEmbedded } from './cel-types.ts'
import { resolveFieldPath } from './schema-path.ts'
import { itemsOf, type ResourceSchema, type ValidationRule } from './resource-schema.ts'

export interface RuleNode {
  schema: ResourceSchema
  type: CelType
  rules: CompiledRule[]
  items?: RuleNode
  others?: RuleNode
  properties: ReadonlyMap<string, RuleNode>
}

export interface CompiledRule {
  rule: ValidationRule
  /** Why it does not compile, in which case it has no program. */
  error?: string
  program?: CelProgram
  usesOldSelf: boolean
  messageProgram?: CelProgram
  messageError?: string
  /** The field to blame, below the place of the rule: "" for that place itself. */
  fieldPath: string
}

export function hasRules(schema: ResourceSchema): boolean {
  const { additionalProperties: others } = schema
  const parts = [
    itemsOf(schema),
    typeof others === 'object' ? others : undefined,
    ...Object.values(schema.properties ?? {}),
  ]
  return (
    Boolean(schema['x-kubernetes-validations']?.length) || parts.some((part) => part !== undefined && hasRules(part))
  )
}

/** Undefined if there is no rule in the schema. */
export function compileRules(cel: Cel, schema: ResourceSchema, isResource = true): RuleNode | undefined {
  const items = itemsOf(schema)
  const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
  const compile = (part: ResourceSchema | undefined) => part && compileRules(cel, part, isEmbedded(part))
  const [itemsNode, othersNode] = [compile(items), compile(others)]
  const properties = new Map<string, RuleNode>()
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const node = compile(property)
    if (node) properties.set(name, node)
  }
  const own = schema['x-kubernetes-validations'] ?? []
  if (own.length === 0 && !itemsNode && !othersNode && properties.size === 0) return undefined
  const type = celTypeOf(schema, isResource) ?? dyn
  return {
    schema,
    type,
    rules: own.length > 0 ? compileOwn(cel, own, schema, type) : [],
    ...(itemsNode ? { items: itemsNode } : {}),
    ...(othersNode ? { others: othersNode } : {}),
    properties,
  }
}

interface Environments {
  /** Without oldSelf: what compiles here is no transition rule. */
  plain: CelEnvironment
  transition(isOptional: boolean): CelEnvironment
}

function compileOwn(cel: Cel, rules: ValidationRule[], schema: ResourceSchema, self: CelType): CompiledRule[] {
  const made = new Map<boolean, CelEnvironment>()
  const environments: Environments = {
    plain: cel.environment({ self }),
    transition(isOptional) {
      const known = made.get(isOptional) ?? cel.environment({ self, oldSelf: isOptional ? dyn : self })
      made.set(isOptional, known)
      return known
    },
  }
  return rules.map((rule) => compileRule(rule, environments, schema))
}

function compileRule(rule: ValidationRule, environments: Environments, schema: ResourceSchema): CompiledRule {
  const { rule: source = '', messageExpression } = rule
  const found = resolveFieldPath((rule.fieldPath ?? '').trim(), schema)
  const compiled: CompiledRule = { rule, usesOldSelf: false, fieldPath: typeof found === 'string' ? '' : found.path }
  let environment = environments.plain
  try {
    compiled.program = environment.compile(source, { returns: ['bool'] })
  } catch (error) {
    if (!isOfOldSelf(error)) return { ...compiled, error: wordsOf(error, 'cel expression must evaluate to a bool') }
    compiled.usesOldSelf = true
    environment = environments.transition(rule.optionalOldSelf ?? false)
    try {
      compiled.program = environment.compile(source, { returns: ['bool'] })
    } catch (second) {
      return { ...compiled, error: wordsOf(second, 'cel expression must evaluate to a bool') }
    }
  }
  if (!messageExpression?.trim()) return compiled
  try {
    return { ...compiled, messageProgram: environment.compile(messageExpression, { returns: ['string'] }) }
  } catch (error) {
    const words = wordsOf(
      error,
      'messageExpression must evaluate to a string',
      'messageExpression compilation failed: ',
    )
    return { ...compiled, messageError: words }
  }
}

function isOfOldSelf(error: unknown): boolean {
  return error instanceof CelError && error.message.includes("undeclared reference to 'oldSelf'")
}

function wordsOf(error: unknown, wrongType: string, prefix = 'compilation failed: '): string {
  if (!(error instanceof CelError)) throw error
  return error.message.startsWith('must evaluate to') ? wrongType : `${prefix}${error.message}`
}
