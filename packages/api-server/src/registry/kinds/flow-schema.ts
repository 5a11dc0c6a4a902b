/**
 * FlowSchemas: which requests belong to which priority level (flow-control/). Follows pkg/apis/flowcontrol/validation.
 */

import { isDeepStrictEqual } from 'node:util'
import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain } from '@dinghy/shared/api/names'
import type { FlowSchema } from '@dinghy/shared/api/types'
import type {
  FlowSchemaSpec,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from 'kubernetes-types/flowcontrol/v1.js'
import { named, notBesideWildcard, uniqueConditions } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

export const flowSchemas: KindRules<FlowSchema> = {
  strategy: {
    defaults({ spec }) {
      if (spec) spec.matchingPrecedence ||= 1000
    },
    generationOf: ({ spec }) => spec,
    validate: ({ metadata, spec }) => validateSpec(spec ?? {}, metadata.name),
    validateStatusUpdate: ({ status }) => uniqueConditions('status.conditions', status?.conditions),
  },
}

const everything: Pick<PolicyRulesWithSubjects, 'resourceRules' | 'nonResourceRules'> = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
}

function rulesFor(...groups: string[]): PolicyRulesWithSubjects[] {
  return [{ subjects: groups.map((name) => ({ kind: 'Group', group: { name } })), ...everything }]
}

/** Whoever makes these must make them so: requests rely on the first and last schema being what they are. */
const mandatory: ReadonlyMap<string, FlowSchemaSpec> = new Map([
  [
    'exempt',
    {
      matchingPrecedence: 1,
      priorityLevelConfiguration: { name: 'exempt' },
      rules: rulesFor('system:masters'),
    },
  ],
  [
    'catch-all',
    {
      matchingPrecedence: 10000,
      priorityLevelConfiguration: { name: 'catch-all' },
      distinguisherMethod: { type: 'ByUser' },
      rules: rulesFor('system:unauthenticated', 'system:authenticated'),
    },
  ],
])

const maxPrecedence = 10000
const distinguishers = ['ByNamespace', 'ByUser']

function validateSpec(spec: Partial<FlowSchemaSpec>, name: string): FieldError[] {
  const { matchingPrecedence: precedence = 0, distinguisherMethod, priorityLevelConfiguration, rules = [] } = spec
  const at = 'spec.matchingPrecedence'
  const errors = precedence <= 0 ? [invalid(at, precedence, 'must be a positive value')] : []
  if (precedence > maxPrecedence) errors.push(invalid(at, precedence, `must not be greater than ${maxPrecedence}`))
  if (precedence === 1 && name !== 'exempt') {
    errors.push(invalid(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
  }
  if (distinguisherMethod && !distinguishers.includes(distinguisherMethod.type)) {
    errors.push(notSupported('spec.distinguisherMethod.type', distinguisherMethod, distinguishers))
  }
  const level = priorityLevelConfiguration?.name
  const levelPath = 'spec.priorityLevelConfiguration.name'
  if (level) errors.push(...named(levelPath, level, isDns1123Subdomain(level)))
  else errors.push(required(levelPath, 'must reference a priority level'))
  for (const [i, rule] of rules.entries()) errors.push(...validateRule(rule, `spec.rules[${i}]`))
  const fixed = mandatory.get(name)
  if (fixed && !isDeepStrictEqual(spec, fixed)) {
    errors.push(invalid('spec', spec, `spec of '${name}' must equal the fixed value`))
  }
  return errors
}

function validateRule(rule: PolicyRulesWithSubjects, path: string): FieldError[] {
  const { subjects, resourceRules = [], nonResourceRules = [] } = rule
  const errors = subjects.flatMap((subject, i) => validateSubject(subject, `${path}.subjects[${i}]`))
  if (subjects.length === 0) errors.push(required(`${path}.subjects`, 'subjects must contain at least one value'))
  if (resourceRules.length + nonResourceRules.length === 0) {
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'))
  }
  return [
    ...errors,
    ...resourceRules.flatMap((each, i) => validateResourceRule(each, `${path}.resourceRules[${i}]`)),
    ...nonResourceRules.flatMap((each, i) => validateNonResourceRule(each, `${path}.nonResourceRules[${i}]`)),
  ]
}

/** The field that belongs to each kind of subject. */
const subjectFields = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const
const subjectKinds = ['Group', 'ServiceAccount', 'User']

function validateSubject(subject: Subject, path: string): FieldError[] {
  const { kind } = subject
  if (!subjectKinds.includes(kind)) return [notSupported(`${path}.kind`, kind, subjectKinds)]
  return Object.entries(subjectFields).flatMap(([owner, field]) => {
    const at = `${path}.${field}`
    if (owner === kind) return validateNamed(kind, subject[field], at)
    return subject[field] ? [forbidden(at, `${field} is forbidden when subject kind is not '${owner}'`)] : []
  })
}

function validateNamed(kind: string, value: { name?: string; namespace?: string } | undefined, path: string) {
  const field = path.slice(path.lastIndexOf('.') + 1)
  if (!value) return [required(path, `${field} is required when subject kind is '${kind}'`)]
  const { name, namespace } = value
  const errors: FieldError[] = name ? [] : [required(`${path}.name`)]
  if (kind !== 'ServiceAccount') return errors
  if (name && name !== '*') errors.push(...named(`${path}.name`, name, isDns1123Subdomain(name)))
  if (namespace) errors.push(...named(`${path}.namespace`, namespace, isDns1123Label(namespace)))
  else errors.push(required(`${path}.namespace`, 'must specify namespace for service account'))
  return errors
}

const knownVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']

function validateVerbs(verbs: string[], path: string): FieldError[] {
  if (verbs.length === 0) return [required(path, 'verbs must contain at least one value')]
  if (verbs.includes('*')) return notBesideWildcard(path, verbs, 'verbs')
  return verbs.every((verb) => knownVerbs.includes(verb)) ? [] : [notSupported(path, verbs, knownVerbs)]
}

function validateResourceRule(rule: ResourcePolicyRule, path: string): FieldError[] {
  const { verbs, apiGroups, resources, namespaces = [], clusterScope } = rule
  const errors = validateVerbs(verbs, `${path}.verbs`)
  if (apiGroups.length === 0) {
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
  }
  errors.push(...notBesideWildcard(`${path}.apiGroups`, apiGroups, 'api groups'))
  if (resources.length === 0) {
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
  }
  errors.push(...notBesideWildcard(`${path}.resources`, resources, 'resources'))
  const at = `${path}.namespaces`
  if (namespaces.length === 0 && !clusterScope) {
    const detail = 'resource rules that are not cluster scoped must supply at least one namespace'
    errors.push(required(at, detail))
  }
  if (namespaces.includes('*')) return [...errors, ...notBesideWildcard(at, namespaces, 'namespaces')]
  for (const [i, namespace] of namespaces.entries()) {
    const problems = isDns1123Label(namespace)
    const intro = "each member of this list must be '*' or a DNS-1123 label; "
    errors.push(...problems.map((problem) => invalid(`${at}[${i}]`, namespace, intro + problem)))
  }
  return errors
}

function validateNonResourceRule(rule: NonResourcePolicyRule, path: string): FieldError[] {
  const { verbs, nonResourceURLs } = rule
  const errors = validateVerbs(verbs, `${path}.verbs`)
  const at = `${path}.nonResourceURLs`
  if (nonResourceURLs.length === 0) {
    return [...errors, required(at, 'nonResourceURLs must contain at least one value')]
  }
  if (nonResourceURLs.includes('*')) {
    return [...errors, ...notBesideWildcard(at, nonResourceURLs, 'non-resource URLs')]
  }
  return [...errors, ...nonResourceURLs.flatMap((url, i) => named(`${at}[${i}]`, url, urlProblems(url)))]
}

/** A path, or a path that ends in a slash and a star. Only the first fault is told. */
function urlProblems(url: string): string[] {
  if (url === '') return ['must not be empty']
  if (url === '/') return []
  if (!url.startsWith('/')) return ['must start with slash']
  if (url.includes(' ')) return ['must not contain white-space']
  if (url.includes('//')) return ['must not contain double slash']
  const stars = url.split('*').length - 1
  return stars > 1 || (stars === 1 && !url.endsWith('/*')) ? ['wildcard can only do suffix matching'] : []
}
