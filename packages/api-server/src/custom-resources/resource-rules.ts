/**
 * The rules in CEL of a custom resource, as its strategy asks them: compiled when the first object comes, since a
 * cluster has many definitions that nobody uses.
 */

import { loadCel, loadedCel } from '../cel/load-cel.ts'
import type { CustomResourceDefinition } from '@dinghy/shared/api/types'
import { evaluateRules } from '../structural/evaluate-rules.ts'
import type { ResourceSchema } from '../structural/resource-schema.ts'
import { compileRules, hasRules, type RuleNode } from '../structural/rules.ts'
import type { ValidateRules } from './strategy.ts'

/** Before the rules of a definition are asked. */
export async function loadRules({ spec }: CustomResourceDefinition): Promise<void> {
  if (spec.versions.some(({ schema }) => hasRules(schema?.openAPIV3Schema ?? {}))) await loadCel()
}

export function rulesOf(schema: ResourceSchema): ValidateRules | undefined {
  if (!hasRules(schema)) return undefined
  let node: RuleNode | undefined
  return (next, previous) => {
    const cel = loadedCel()
    node ??= compileRules(cel, schema)
    return node ? evaluateRules(cel, node, next, previous) : []
  }
}
