/**
 * ValidatingAdmissionPolicies and their bindings: rules about objects, written in CEL. Here is what such an object must
 * be like; who evaluates it is admission/policy/.
 */

import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName, isQualifiedName } from '@dinghy/shared/api/names'
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '@dinghy/shared/api/types'
import type {
  AuditAnnotation,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicySpec,
  Validation,
  Variable,
} from 'kubernetes-types/admissionregistration/v1.js'
import { loadCel, loadedCel } from '../../cel/load-cel.ts'
import { compilePolicy, expressionErrors } from './admission-expressions.ts'
import {
  defaultMatchResources,
  failurePolicies,
  validateMatchConditions,
  validateMatchResources,
} from './admission-rule.ts'
import { labelSelector, named, oneOf, requiredOneOf } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

export const validatingAdmissionPolicies: KindRules<ValidatingAdmissionPolicy> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      spec.failurePolicy ??= 'Fail'
      defaultMatchResources(spec.matchConstraints)
    },
    generationOf: ({ spec }) => spec,
    validate: ({ metadata, spec }) => validateSpec(spec ?? {}, metadata.name),
    requiresResourceVersion: true,
    load: async () => void (await loadCel()),
  },
}

export const validatingAdmissionPolicyBindings: KindRules<ValidatingAdmissionPolicyBinding> = {
  strategy: {
    defaults: ({ spec }) => defaultMatchResources(spec?.matchResources),
    generationOf: ({ spec }) => spec,
    validate({ spec }) {
      const { policyName, paramRef, matchResources, validationActions = [] } = spec ?? {}
      return [
        ...(policyName
          ? named('spec.policyName', policyName, isDns1123Subdomain(policyName))
          : [required('spec.policyName')]),
        ...validateParamRef(paramRef, 'spec.paramRef'),
        // The misspelt path is upstream's.
        ...validateMatchResources(matchResources, 'spec.matchResouces'),
        ...validateActions(validationActions, 'spec.validationActions'),
      ]
    },
    requiresResourceVersion: true,
  },
}

const maxAuditAnnotations = 20
const nothingToDo = 'validations or auditAnnotations must contain at least one item'

function validateSpec(spec: ValidatingAdmissionPolicySpec, name: string): FieldError[] {
  const { matchConstraints, variables = [], validations = [], auditAnnotations = [] } = spec
  const compiled = compilePolicy(loadedCel(), spec)
  const errors = requiredOneOf('spec.failurePolicy', spec.failurePolicy, failurePolicies)
  if (spec.paramKind) errors.push(...validateParamKind(spec.paramKind, 'spec.paramKind'))
  if (!matchConstraints) errors.push(required('spec.matchConstraints'))
  else {
    errors.push(...validateMatchResources(matchConstraints, 'spec.matchConstraints'))
    if (!matchConstraints.resourceRules?.length) errors.push(required('spec.matchConstraints.resourceRules'))
  }
  errors.push(...validateMatchConditions(spec.matchConditions, compiled.conditions, 'spec.matchConditions'))
  for (const [i, variable] of variables.entries()) {
    const path = `spec.variables[${i}]`
    errors.push(...validateVariable(variable, path))
    errors.push(...expressionErrors(`${path}.expression`, variable.expression, compiled.variables[i]?.program))
  }
  if (validations.length + auditAnnotations.length === 0) {
    return [...errors, required('spec.validations', nothingToDo), required('spec.auditAnnotations', nothingToDo)]
  }
  for (const [i, validation] of validations.entries()) {
    const path = `spec.validations[${i}]`
    const { program, message } = compiled.validations[i] ?? {}
    errors.push(...validateValidation(validation, path))
    errors.push(...expressionErrors(`${path}.expression`, validation.expression, program))
    errors.push(...expressionErrors(`${path}.messageExpression`, validation.messageExpression, message))
  }
  if (auditAnnotations.length > maxAuditAnnotations) {
    const detail = `must not have more than ${maxAuditAnnotations} auditAnnotations`
    errors.push(invalid('spec.auditAnnotations', auditAnnotations, detail))
  }
  const keys = auditAnnotations.map(({ key }) => key)
  for (const [i, annotation] of auditAnnotations.entries()) {
    const path = `spec.auditAnnotations[${i}]`
    const { valueExpression } = annotation
    errors.push(...validateAnnotation(annotation, name, path))
    errors.push(...expressionErrors(`${path}.valueExpression`, valueExpression, compiled.auditAnnotations[i]?.program))
    if (keys.indexOf(annotation.key) < i) errors.push(duplicate(`${path}.key`, annotation.key))
  }
  return errors
}

function validateParamKind({ apiVersion = '', kind = '' }: ParamKind, path: string): FieldError[] {
  return [...validateGroupVersion(apiVersion, `${path}.apiVersion`), ...validateKind(kind, `${path}.kind`)]
}

function validateGroupVersion(apiVersion: string, path: string): FieldError[] {
  if (apiVersion === '') return [required(path)]
  const parts = apiVersion.split('/')
  if (parts.length > 2) return [invalid(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]
  const [version = '', group = ''] = parts.reverse()
  const groupProblems = group === '' ? [] : isDns1123Subdomain(group)
  const errors = groupProblems.length > 0 ? [invalid(path, group, groupProblems.join(','))] : []
  if (version === '') return [...errors, invalid(path, apiVersion, 'version must be specified')]
  const problems = isDns1035Label(version)
  return problems.length > 0 ? [...errors, invalid(path, version, problems.join(','))] : errors
}

function validateKind(kind: string, path: string): FieldError[] {
  if (kind === '') return [required(path)]
  const problems = isDns1035Label(kind.toLowerCase())
  if (problems.length === 0) return []
  return [invalid(path, kind, `may have mixed case, but should otherwise match: ${problems.join(',')}`)]
}

const celKeywords = new Set(
  `true false null in as break const continue else for function if import let loop package namespace return var void
  while`.split(/\s+/),
)

function validateVariable({ name, expression }: Variable, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (!name?.trim()) errors.push(required(`${path}.name`, 'name is not specified'))
  else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || celKeywords.has(name)) {
    errors.push(invalid(`${path}.name`, name, 'name is not a valid CEL identifier'))
  }
  if (!expression?.trim()) errors.push(required(`${path}.expression`, 'expression is not specified'))
  return errors
}

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']

function validateValidation(validation: Validation, path: string): FieldError[] {
  const { expression, message, messageExpression, reason } = validation
  const errors = expression?.trim() ? [] : [required(`${path}.expression`, 'expression is not specified')]
  if (messageExpression && messageExpression.trim() === '') {
    errors.push(invalid(`${path}.messageExpression`, messageExpression, 'must be non-empty if specified'))
  }
  if (message && message.trim() === '') {
    errors.push(invalid(`${path}.message`, message, 'message must be non-empty if specified'))
  } else if (message && /[\n\r]/.test(message.trim())) {
    errors.push(invalid(`${path}.message`, message, 'message must not contain line breaks'))
  }
  return [...errors, ...oneOf(`${path}.reason`, reason, reasons)]
}

const maxValueExpressionBytes = 5 * 1024

function validateAnnotation({ key, valueExpression }: AuditAnnotation, policy: string, path: string) {
  const full = `${policy}/${key}`
  const errors: FieldError[] = named(`${path}.key`, full, isQualifiedName(full))
  const expression = valueExpression?.trim()
  if (!expression) errors.push(required(`${path}.valueExpression`, 'valueExpression is not specified'))
  else if (Buffer.byteLength(expression) > maxValueExpressionBytes) {
    const detail = `must not exceed ${maxValueExpressionBytes} bytes in length`
    errors.push(required(`${path}.valueExpression`, detail))
  }
  return errors
}

const exclusive = 'name and selector are mutually exclusive'

function validateParamRef(ref: ParamRef | undefined, path: string): FieldError[] {
  if (!ref) return []
  const { name, selector, parameterNotFoundAction } = ref
  const errors: FieldError[] = []
  if (name) {
    errors.push(...named(`${path}.name`, name, isPathSegmentName(name)))
    if (selector) errors.push(forbidden(`${path}.name`, exclusive))
  }
  errors.push(...labelSelector(`${path}.selector`, selector))
  if (name && selector) errors.push(forbidden(`${path}.selector`, exclusive))
  if (!name && !selector) errors.push(required(path, 'one of name or selector must be specified'))
  const actions = ['Deny', 'Allow']
  return [...errors, ...requiredOneOf(`${path}.parameterNotFoundAction`, parameterNotFoundAction, actions)]
}

const actionNames = ['Audit', 'Deny', 'Warn']

function validateActions(actions: string[], path: string): FieldError[] {
  const errors = actions.flatMap((action, i) => [
    ...(actionNames.includes(action) ? [] : [notSupported(`${path}[${i}]`, action, actionNames)]),
    ...(actions.indexOf(action) < i ? [duplicate(`${path}[${i}]`, action)] : []),
  ])
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const detail =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)'
    errors.push(invalid(path, actions, detail))
  }
  return actions.length === 0 ? [...errors, required(path, 'at least one validation action is required')] : errors
}
