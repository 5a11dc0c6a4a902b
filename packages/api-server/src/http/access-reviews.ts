/**
 * Reviews about rights: may I (SelfSubjectAccessReview), may somebody (SubjectAccessReview, and the Local one for who
 * may ask about one namespace only), and what may I (SelfSubjectRulesReview, `kubectl auth can-i --list`). They ask the
 * same authorizers as the pipeline. Follows pkg/registry/authorization and pkg/apis/authorization/validation.
 */

import { badRequest, invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import type { FieldError } from '@dinghy/shared/api/field-errors'
import {
  type FieldRequirement,
  labelSelectorFrom,
  parseFieldSelector,
  parseLabelSelector,
} from '@dinghy/shared/api/selectors'
import type { AccessAttributes } from '../auth/authorize.ts'
import type { UserInfo } from '../auth/user.ts'
import { requirementsOf } from './access-attributes.ts'
import { type Question, review } from './reviews.ts'

interface SelectorAttributes {
  rawSelector?: string
  requirements?: { key: string; operator: string; values?: string[] }[]
}

interface ResourceAttributes {
  namespace?: string
  verb?: string
  group?: string
  version?: string
  resource?: string
  subresource?: string
  name?: string
  fieldSelector?: SelectorAttributes
  labelSelector?: SelectorAttributes
}

interface AccessReviewSpec {
  resourceAttributes: ResourceAttributes
  nonResourceAttributes: { path?: string; verb?: string }
  user: string
  groups: string[]
  uid: string
  extra: Record<string, string[]>
}

type AccessQuestion = Question<AccessReviewSpec>

export const selfSubjectAccessReview = review<AccessReviewSpec>((question) => {
  requireValid(question, validateWhat(question.spec))
  return decide(question, question.exchange.user)
})

export const subjectAccessReview = review<AccessReviewSpec>((question) => {
  requireValid(question, [...validateWhat(question.spec), ...validateWho(question.spec)])
  return decide(question, subjectOf(question.spec))
})

export const localSubjectAccessReview = review<AccessReviewSpec>((question) => {
  const { spec, exchange } = question
  const { namespace = '' } = spec.resourceAttributes ?? {}
  const problems = [...validateWhat(spec), ...validateWho(spec)]
  if (spec.resourceAttributes && namespace !== exchange.info.namespace) {
    problems.push(fieldErrors.invalid('spec.resourceAttributes.namespace', namespace, 'must match metadata.namespace'))
  }
  if (spec.nonResourceAttributes) {
    const detail = 'disallowed on this kind of request'
    problems.push(fieldErrors.invalid('spec.nonResourceAttributes', spec.nonResourceAttributes, detail))
  }
  requireValid(question, problems)
  return decide(question, subjectOf(spec))
})

export const selfSubjectRulesReview = review<{ namespace: string }>(({ spec: { namespace }, services, exchange }) => {
  if (!namespace) throw badRequest('no namespace on request')
  const { rules, problem, isIncomplete } = services.authorization.rulesFor(exchange.user, namespace)
  return {
    resourceRules: rules
      .filter(({ resources }) => resources?.length)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames?.length ? { resourceNames } : {}),
      })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => nonResourceURLs?.length)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: isIncomplete,
    ...(problem ? { evaluationError: problem } : {}),
  }
})

function requireValid({ definition: { group, kind } }: AccessQuestion, problems: FieldError[]): void {
  if (problems.length > 0) throw invalid(group, kind, '', problems)
}

function validateWhat({ resourceAttributes: resource, nonResourceAttributes: path }: Partial<AccessReviewSpec>) {
  if (resource && path) {
    const detail = 'cannot be specified in combination with resourceAttributes'
    return [fieldErrors.invalid('spec.nonResourceAttributes', path, detail)]
  }
  if (!resource && !path) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
    return [fieldErrors.invalid('spec.resourceAttributes', null, detail)]
  }
  return [
    ...validateSelector(resource?.fieldSelector, 'spec.resourceAttributes.fieldSelector'),
    ...validateSelector(resource?.labelSelector, 'spec.resourceAttributes.labelSelector'),
  ]
}

function validateSelector(selector: SelectorAttributes | undefined, path: string): FieldError[] {
  if (!selector) return []
  const { rawSelector = '', requirements = [] } = selector
  if (rawSelector && requirements.length > 0) {
    const detail = 'may not specified at the same time as requirements' // as upstream writes it
    return [fieldErrors.invalid(`${path}.rawSelector`, rawSelector, detail)]
  }
  if (rawSelector || requirements.length > 0) return []
  return [
    fieldErrors.required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`),
  ]
}

function validateWho({ user, groups }: Partial<AccessReviewSpec>): FieldError[] {
  if (user || groups?.length) return []
  return [fieldErrors.invalid('spec.user', '', 'at least one of user or group must be specified')]
}

function subjectOf({ user = '', groups = [], uid, extra }: Partial<AccessReviewSpec>): UserInfo {
  return { username: user, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) }
}

function decide({ spec, services }: AccessQuestion, user: UserInfo): object {
  const { resourceAttributes = {}, nonResourceAttributes: path } = spec
  const attributes: AccessAttributes = path
    ? { ...whatOf({ verb: path.verb ?? '' }), user, path: path.path ?? '' }
    : { ...whatOf(resourceAttributes), user, path: undefined }
  const { allowed, reason } = services.authorization.authorize(attributes)
  return { allowed, ...(reason ? { reason } : {}) }
}

function whatOf(sent: ResourceAttributes): Omit<AccessAttributes, 'user' | 'path'> {
  const { verb = '', group = '', version = '', resource = '', subresource, namespace, name } = sent
  const fields = fieldsOf(sent.fieldSelector)
  const labels = labelsOf(sent.labelSelector)
  return {
    verb,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    ...(fields ? { fieldSelector: fields } : {}),
    ...(labels ? { labelSelector: labels } : {}),
  }
}

/** Requirements that no field selector can have are left out: without them the question is about more, not less. */
function fieldsOf(selector: SelectorAttributes | undefined): readonly FieldRequirement[] | undefined {
  if (!selector?.requirements?.length) return requirementsOf(selector?.rawSelector, parseFieldSelector)
  return selector.requirements.flatMap(({ key, operator, values = [] }): FieldRequirement[] => {
    const [value, ...more] = values
    if (value === undefined || more.length > 0) return []
    if (operator === 'In') return [{ field: key, operator: '=', value }]
    return operator === 'NotIn' ? [{ field: key, operator: '!=', value }] : []
  })
}

const labelOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist']

function labelsOf(selector: SelectorAttributes | undefined): AccessAttributes['labelSelector'] {
  if (!selector?.requirements?.length) {
    return requirementsOf(selector?.rawSelector, (text) => parseLabelSelector(text).requirements)
  }
  const known = selector.requirements.filter(({ operator }) => labelOperators.includes(operator))
  return labelSelectorFrom({ matchExpressions: known }).requirements
}
