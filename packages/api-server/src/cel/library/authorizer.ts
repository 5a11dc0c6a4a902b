/**
 * `authorizer.group('').resource('pods').namespace('default').check('create').allowed()`: may the one who makes the
 * request do that, too? Follows k8s.io/apiserver/pkg/cel/library/authz.go. Whoever evaluates an expression gives it a
 * `CelAuthorizer` as a variable; who decides is not this library's business.
 */

import { isDns1123Label, isDns1123Subdomain } from '@dinghy/shared/api/names'
import { CelError } from '../cel-error.ts'
import { authorizationCheckCost, spend } from '../cost-budget.ts'
import { type Library, registerClass, registerFunctions } from './library.ts'

export interface ResourceAttributes {
  verb: string
  group: string
  resource: string
  subresource: string
  namespace: string
  name: string
  /** As they were written. One that cannot be read is to be left out, which asks for more and not for less. */
  fieldSelector?: string
  labelSelector?: string
}

export interface Checks {
  resource(attributes: ResourceAttributes): { allowed: boolean; reason: string }
  path(path: string, verb: string): { allowed: boolean; reason: string }
  /** The same, for a service account. */
  as(namespace: string, name: string): Checks
}

export class CelAuthorizer {
  readonly checks: Checks
  /** `authorizer.requestResource`: a check of what the request itself is about. */
  readonly requestResource: ResourceCheck | undefined

  constructor(checks: Checks, requestResource?: ResourceAttributes) {
    this.checks = checks
    this.requestResource = requestResource && new ResourceCheck(checks, requestResource)
  }
}

class ResourceCheck {
  readonly checks: Checks
  readonly attributes: ResourceAttributes

  constructor(checks: Checks, attributes: ResourceAttributes) {
    this.checks = checks
    this.attributes = attributes
  }

  with(more: Partial<ResourceAttributes>): ResourceCheck {
    return new ResourceCheck(this.checks, { ...this.attributes, ...more })
  }
}

class GroupCheck {
  readonly checks: Checks
  readonly group: string

  constructor(checks: Checks, group: string) {
    this.checks = checks
    this.group = group
  }
}

class PathCheck {
  readonly checks: Checks
  readonly path: string

  constructor(checks: Checks, path: string) {
    this.checks = checks
    this.path = path
  }
}

class CelDecision {
  readonly allowed: boolean
  readonly reason: string

  constructor({ allowed, reason }: { allowed: boolean; reason: string }) {
    this.allowed = allowed
    this.reason = reason
  }
}

const prefix = 'kubernetes.authorization.'
const [authorizer, group, resource, path, decision] = [
  'Authorizer',
  'GroupCheck',
  'ResourceCheck',
  'PathCheck',
  'Decision',
].map((name) => prefix + name)

export function registerAuthorizer(library: Library): void {
  registerClass(library, `${prefix}GroupCheck`, GroupCheck)
  registerClass(library, `${prefix}ResourceCheck`, ResourceCheck)
  registerClass(library, `${prefix}PathCheck`, PathCheck)
  registerClass(library, `${prefix}Decision`, CelDecision)
  registerClass(library, `${prefix}Authorizer`, CelAuthorizer, { requestResource: `${prefix}ResourceCheck` })
  registerFunctions(library, {
    [`${authorizer}.path(string): ${path}`]: ({ checks }: CelAuthorizer, text: string) => {
      if (text.trim() === '') throw new CelError('path must not be empty')
      return new PathCheck(checks, text)
    },
    [`${authorizer}.group(string): ${group}`]: ({ checks }: CelAuthorizer, name: string) =>
      new GroupCheck(checks, name),
    [`${authorizer}.serviceAccount(string, string): ${authorizer}`]: (
      { checks }: CelAuthorizer,
      namespace: string,
      name: string,
    ) => {
      const problems = isDns1123Subdomain(name)
      if (problems.length > 0) throw new CelError(`Invalid service account name`)
      if (isDns1123Label(namespace).length > 0) throw new CelError(`Invalid service account namespace`)
      return new CelAuthorizer(checks.as(namespace, name))
    },
    [`${group}.resource(string): ${resource}`]: (check: GroupCheck, name: string) => {
      if (name.trim() === '') throw new CelError('resource must not be empty')
      return new ResourceCheck(check.checks, {
        verb: '',
        group: check.group,
        resource: name,
        subresource: '',
        namespace: '',
        name: '',
      })
    },
    [`${resource}.subresource(string): ${resource}`]: (check: ResourceCheck, subresource: string) =>
      check.with({ subresource }),
    [`${resource}.namespace(string): ${resource}`]: (check: ResourceCheck, namespace: string) =>
      check.with({ namespace }),
    [`${resource}.name(string): ${resource}`]: (check: ResourceCheck, name: string) => check.with({ name }),
    [`${resource}.fieldSelector(string): ${resource}`]: (check: ResourceCheck, fieldSelector: string) =>
      check.with({ fieldSelector }),
    [`${resource}.labelSelector(string): ${resource}`]: (check: ResourceCheck, labelSelector: string) =>
      check.with({ labelSelector }),
    [`${resource}.check(string): ${decision}`]: ({ checks, attributes }: ResourceCheck, verb: string) => {
      spend(authorizationCheckCost)
      return new CelDecision(checks.resource({ ...attributes, verb }))
    },
    [`${path}.check(string): ${decision}`]: (check: PathCheck, verb: string) => {
      spend(authorizationCheckCost)
      return new CelDecision(check.checks.path(check.path, verb))
    },
    [`${decision}.allowed(): bool`]: (made: CelDecision) => made.allowed,
    [`${decision}.reason(): string`]: (made: CelDecision) => made.reason,
    // Decisions are made from memory and cannot fail.
    [`${decision}.errored(): bool`]: () => false,
    [`${decision}.error(): string`]: () => '',
  })
}
