/**
 * What the expressions of webhooks and policies may say: the variables that each may use, and the compiled policy. The
 * rules of the kinds look for what does not compile; admission evaluates. Follows
 * k8s.io/apiserver/pkg/admission/plugin/cel.
 */

import type { FieldError } from '@dinghy/shared/api/field-errors'
import { invalid } from '@dinghy/shared/api/field-errors'
import type {
  AuditAnnotation,
  MatchCondition,
  ValidatingAdmissionPolicySpec,
  Validation,
} from 'kubernetes-types/admissionregistration/v1.js'
import type { Cel, CelEnvironment, CelProgram, CompileOptions } from '../../cel/cel.ts'
import { CelError } from '../../cel/cel-error.ts'
import { type CelType, dyn, listOf, mapOf, objectOf, type ScalarKind, text } from '../../cel/cel-type.ts'

const groupVersionKind = objectOf({ group: text, version: text, kind: text })
const groupVersionResource = objectOf({ group: text, version: text, resource: text })

export const requestType: CelType = objectOf({
  kind: groupVersionKind,
  resource: groupVersionResource,
  subResource: text,
  requestKind: groupVersionKind,
  requestResource: groupVersionResource,
  requestSubResource: text,
  name: text,
  namespace: text,
  operation: text,
  userInfo: objectOf({ username: text, uid: text, groups: listOf(text), extra: mapOf(listOf(text)) }),
  dryRun: { kind: 'bool' },
  options: dyn,
})

/** The namespace of a request, as far as expressions may see it. */
export const namespaceType: CelType = objectOf({
  metadata: objectOf({
    name: text,
    generateName: text,
    namespace: text,
    labels: mapOf(text),
    annotations: mapOf(text),
    UID: text,
    creationTimestamp: { kind: 'timestamp' },
    deletionGracePeriodSeconds: { kind: 'int' },
    deletionTimestamp: { kind: 'timestamp' },
    generation: { kind: 'int' },
    resourceVersion: text,
    finalizers: listOf(text),
  }),
  spec: objectOf({ finalizers: listOf(text) }),
  status: objectOf({ phase: text }),
})

const authorizer: CelType = { kind: 'kubernetes.authorization.Authorizer' }

/** Objects are `dyn`, unless somebody knows what they are (type checking). */
export interface ObjectTypes {
  object?: CelType
  params?: CelType
}

function withoutAuthorizer(types: ObjectTypes, hasParams: boolean): Record<string, CelType> {
  return {
    object: types.object ?? dyn,
    oldObject: types.object ?? dyn,
    request: requestType,
    namespaceObject: namespaceType,
    ...(hasParams ? { params: types.params ?? dyn } : {}),
  }
}

/** An expression that does not compile fails whenever it is asked for. */
export type Compiled = CelProgram | CelError

export function compileConditions(cel: Cel, conditions: readonly MatchCondition[] | undefined): Compiled[] {
  const environment = cel.environment({ object: dyn, oldObject: dyn, request: requestType, authorizer })
  return (conditions ?? []).map(({ expression }) => compiled(environment, expression, { returns: ['bool'] }))
}

export interface CompiledPolicy {
  conditions: Compiled[]
  variables: { name: string; program: Compiled }[]
  validations: { validation: Validation; program: Compiled; message: Compiled | undefined }[]
  auditAnnotations: { annotation: AuditAnnotation; program: Compiled }[]
}

export function compilePolicy(cel: Cel, spec: ValidatingAdmissionPolicySpec, types: ObjectTypes = {}): CompiledPolicy {
  const { matchConditions = [], variables = [], validations = [], auditAnnotations = [] } = spec
  const hasParams = spec.paramKind !== undefined
  const plain = withoutAuthorizer(types, hasParams)
  const full = { ...plain, authorizer }
  // A variable may use those before it.
  const known: Record<string, CelType> = {}
  const compiledVariables = variables.map(({ name, expression }) => {
    const environment = cel.environment({ ...full, variables: objectOf({ ...known }) })
    const program = compiled(environment, expression, {})
    known[name] = program instanceof CelError ? dyn : typeNamed(program.type)
    return { name, program }
  })
  const all = cel.environment({ ...full, variables: objectOf(known) })
  const unauthorized = cel.environment({ ...plain, variables: objectOf(known) })
  const beforeVariables = cel.environment(full)
  return {
    conditions: matchConditions.map(({ expression }) => compiled(beforeVariables, expression, { returns: ['bool'] })),
    variables: compiledVariables,
    validations: validations.map((validation) => ({
      validation,
      program: compiled(all, validation.expression, { returns: ['bool'] }),
      message: validation.messageExpression
        ? compiled(unauthorized, validation.messageExpression, { returns: ['string'] })
        : undefined,
    })),
    auditAnnotations: auditAnnotations.map((annotation) => ({
      annotation,
      program: compiled(unauthorized, annotation.valueExpression, { returns: ['string', 'null'] }),
    })),
  }
}

const scalars: readonly string[] = ['bool', 'int', 'double', 'string', 'bytes'] satisfies ScalarKind[]

/** What a variable evaluates to is known to those who use it, if it is simple. */
function typeNamed(name: string): CelType {
  return scalars.includes(name) ? { kind: name as ScalarKind } : dyn
}

function compiled(environment: CelEnvironment, expression: string, options: CompileOptions): Compiled {
  try {
    return environment.compile(expression.trim(), options)
  } catch (error) {
    if (error instanceof CelError) return error
    throw error
  }
}

/** Why an expression is refused, if it is. An empty one has been told of already. */
export function expressionErrors(
  path: string,
  expression: string | undefined,
  program: Compiled | undefined,
): FieldError[] {
  if (!expression?.trim() || !(program instanceof CelError)) return []
  const { message } = program
  return [invalid(path, expression, message.startsWith('ERROR:') ? `compilation failed: ${message}` : message)]
}
