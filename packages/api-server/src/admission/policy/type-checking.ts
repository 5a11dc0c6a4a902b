/**
 * Whether the expressions of a policy fit the kinds that it is about: a field that they misspell, a number compared
 * with text. What is found is told in the policy's status, as a warning; the policy is in force all the same. Pure.
 * Follows k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
 */

import { apiVersionOf } from '@dinghy/shared/api/resources'
import type { ValidatingAdmissionPolicy } from '@dinghy/shared/api/types'
import type { Scalar, TypeRef, TypeSource } from '@dinghy/shared/schema/type-shape'
import type { Cel } from '../../cel/cel.ts'
import { CelError } from '../../cel/cel-error.ts'
import { type CelType, dyn, listOf, mapOf, objectOf, text } from '../../cel/cel-type.ts'
import { type Compiled, compilePolicy } from '../../registry/kinds/admission-expressions.ts'
import type { AdmissionRule } from '../../registry/kinds/admission-rule.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import type { Resources } from '../../registry/resources.ts'

export interface ExpressionWarning {
  fieldRef: string
  warning: string
}

const maxTypes = 10

export function checkTypes(cel: Cel, { spec }: ValidatingAdmissionPolicy, resources: Resources): ExpressionWarning[] {
  const { paramKind } = spec
  const paramDefinition =
    paramKind &&
    resources.all().find((one) => apiVersionOf(one) === paramKind.apiVersion && one.kind === paramKind.kind)
  const params = paramDefinition && celTypeOf(paramDefinition)
  const checked = kindsOf(spec, resources).map((definition) => ({
    kind: `${apiVersionOf(definition)}, Kind=${definition.kind}`,
    policy: compilePolicy(cel, spec, { object: celTypeOf(definition), ...(params ? { params } : {}) }),
  }))
  return (spec.validations ?? []).flatMap((validation, i) => [
    ...warning(
      `spec.validations[${i}].expression`,
      checked.map(({ kind, policy }) => [kind, policy.validations[i]?.program]),
    ),
    ...warning(
      `spec.validations[${i}].messageExpression`,
      checked.map(({ kind, policy }) => [kind, policy.validations[i]?.message]),
    ),
  ])
}

function warning(fieldRef: string, results: [kind: string, program: Compiled | undefined][]): ExpressionWarning[] {
  const problems = results.flatMap(([kind, program]) =>
    program instanceof CelError ? [`${kind}: ${program.message}\n`] : [],
  )
  return problems.length > 0 ? [{ fieldRef, warning: problems.join('\n') }] : []
}

/** Those that the rules name without a wildcard. */
function kindsOf({ matchConstraints }: ValidatingAdmissionPolicy['spec'], resources: Resources): ResourceDefinition[] {
  const found = new Set<ResourceDefinition>()
  for (const rule of matchConstraints?.resourceRules ?? []) {
    const { apiGroups = [], apiVersions = [], resources: plurals = [] } = rule as AdmissionRule
    if ([...apiGroups, ...apiVersions].some((text) => text.includes('*'))) continue
    for (const definition of resources.all()) {
      const { group, version, plural } = definition
      if (apiGroups.includes(group) && apiVersions.includes(version) && plurals.includes(plural)) found.add(definition)
    }
  }
  const order = ({ group, version, kind }: ResourceDefinition) => `${group}\0${version}\0${kind}`
  return [...found].sort((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, maxTypes)
}

const scalars: Partial<Record<Scalar, CelType>> = {
  string: { kind: 'string' },
  int32: { kind: 'int' },
  int64: { kind: 'int' },
  bool: { kind: 'bool' },
  double: { kind: 'double' },
  bytes: { kind: 'bytes' },
  time: { kind: 'timestamp' },
  microTime: { kind: 'timestamp' },
}

/** A kind's type, as far down as it does not contain itself. */
export function celTypeOf({ type, types }: Pick<ResourceDefinition, 'type' | 'types'>): CelType {
  return celTypeOfRef({ kind: 'object', type }, types, [])
}

function celTypeOfRef(ref: TypeRef, types: TypeSource, within: readonly string[]): CelType {
  if (ref.kind === 'scalar') return scalars[ref.scalar] ?? dyn
  if (ref.kind === 'list') return listOf(celTypeOfRef(ref.of, types, within))
  if (ref.kind === 'map') return mapOf(celTypeOfRef(ref.of, types, within))
  const shape = types.type(ref.type)
  if (!shape || shape.preservesUnknownFields || within.includes(ref.type)) return dyn
  const inside = [...within, ref.type]
  const fields = [...shape.fields.values()].map(({ name, type }) => [name, celTypeOfRef(type, types, inside)])
  const named: Record<string, CelType> = shape.gvk ? { apiVersion: text, kind: text } : {}
  return objectOf({ ...named, ...(Object.fromEntries(fields) as Record<string, CelType>) })
}
