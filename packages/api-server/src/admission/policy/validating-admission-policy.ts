/**
 * ValidatingAdmissionPolicy: rules in CEL that objects have to keep where a binding puts them in force. Follows
 * k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go.
 *
 * A policy without a binding does nothing. Each binding is evaluated for each of its parameters; what a denial leads to
 * (a refusal, a warning, a line in the audit log) is the binding's to say.
 */

import { forbidden, StatusError } from '@dinghy/shared/api/errors'
import {
  Namespaces,
  ValidatingAdmissionPolicies,
  ValidatingAdmissionPolicyBindings,
} from '@dinghy/shared/api/resources'
import type {
  KubernetesObject,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '@dinghy/shared/api/types'
import type { MatchResources } from '../../registry/kinds/admission-rule.ts'
import type { Authorizer } from '../../auth/authorize.ts'
import type { Cel } from '../../cel/cel.ts'
import { loadCel } from '../../cel/load-cel.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../../registry/admission.ts'
import { type CompiledPolicy, compilePolicy, namespaceType } from '../../registry/kinds/admission-expressions.ts'
import type { Reader } from '../../registry/reader.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import type { Resources } from '../../registry/resources.ts'
import { versionsOf } from '../attributes.ts'
import { RequestVariables } from '../expressions.ts'
import { isExempt, matchRules } from '../match/rules.ts'
import { matchesSelectors, parseSelectors, type Selectors } from '../match/selectors.ts'
import { type Denial, evaluatePolicy } from './evaluate.ts'
import { collectParams, ConfigurationError, definitionOfParams } from './params.ts'

interface Deps {
  reader: Reader
  resources: Resources
  authorizer: Authorizer
}

export function validatingAdmissionPolicy(deps: Deps): AdmissionPlugin {
  const { reader } = deps
  const compiled = new WeakMap<ValidatingAdmissionPolicy, CompiledPolicy>()
  const compile = (cel: Cel, policy: ValidatingAdmissionPolicy) => {
    const known = compiled.get(policy) ?? compilePolicy(cel, policy.spec)
    compiled.set(policy, known)
    return known
  }
  return {
    name: 'ValidatingAdmissionPolicy',
    async validate(request) {
      if (reader.count(ValidatingAdmissionPolicyBindings) === 0 || isExempt(request)) return
      const matching = new Matching(deps, request)
      const concerned = bound(reader).flatMap(({ policy, bindings }) => {
        const version = matching.versionFor(policy.spec.matchConstraints)
        return version ? [{ policy, bindings, version }] : []
      })
      if (concerned.length === 0) return
      const cel = await loadCel()
      const variables = new RequestVariables(cel, deps.authorizer, request)
      const decisions = new Decisions(request)
      for (const { policy, bindings, version } of concerned) {
        for (const binding of bindings) {
          decisions.under(policy, binding, () => {
            const { matchResources } = binding.spec
            if (matchResources && !matching.versionFor(matchResources)) return
            const { paramKind, failurePolicy } = policy.spec
            const definition = paramKind && definitionOfParams(paramKind, deps.resources)
            for (const params of collectParams(definition, binding.spec.paramRef, request.namespace, reader)) {
              const values = {
                ...variables.in(version),
                namespaceObject: cel.toCelValue(namespaceShown(reader, request), namespaceType),
                ...(paramKind ? { params: cel.toCelValue(params ?? null) } : {}),
              }
              const { denials, auditAnnotations } = evaluatePolicy(compile(cel, policy), failurePolicy, values)
              for (const denial of denials) decisions.deny(policy, binding, denial)
              for (const { key, value } of auditAnnotations) decisions.note(policy, key, value)
            }
          })
        }
      }
      decisions.conclude()
    },
  }
}

interface Bound {
  policy: ValidatingAdmissionPolicy
  bindings: ValidatingAdmissionPolicyBinding[]
}

/** The policies that are in force somewhere. */
function bound(reader: Reader): Bound[] {
  const bindings = reader.list(ValidatingAdmissionPolicyBindings)
  return reader.list(ValidatingAdmissionPolicies).flatMap((policy) => {
    const own = bindings.filter(({ spec }) => spec.policyName === policy.metadata.name)
    return own.length > 0 ? [{ policy, bindings: own }] : []
  })
}

/** Parsed once for each state of a policy or binding. */
const parsed = new WeakMap<object, Selectors>()

class Matching {
  readonly #deps: Deps
  readonly #request: AdmissionRequest
  readonly #versions: readonly ResourceDefinition[]

  constructor(deps: Deps, request: AdmissionRequest) {
    this.#deps = deps
    this.#request = request
    this.#versions = versionsOf(request, deps.resources)
  }

  /** The version that the request is to be seen in; undefined if it is not concerned. */
  versionFor(match: MatchResources | undefined): ResourceDefinition | undefined {
    const { matchPolicy, resourceRules = [], excludeResourceRules = [] } = match ?? {}
    const request = this.#request
    if (match && !matchesSelectors(selectorsOf(match), request, this.#deps.reader)) return undefined
    if (matchRules(request, excludeResourceRules, matchPolicy, this.#versions)) return undefined
    // A binding without rules takes what its policy takes.
    if (resourceRules.length === 0) return request.requested ?? request.definition
    return matchRules(request, resourceRules, matchPolicy, this.#versions)
  }
}

function selectorsOf(match: MatchResources): Selectors {
  const known = parsed.get(match) ?? parseSelectors(match.namespaceSelector, match.objectSelector)
  parsed.set(match, known)
  return known
}

/** The fields that expressions may see; null for what is in no namespace, and for namespaces themselves. */
function namespaceShown(reader: Reader, { namespace }: AdmissionRequest): object | null {
  const found = namespace === undefined ? undefined : reader.get(Namespaces, undefined, namespace)
  if (!found) return null
  const { metadata, spec, status } = found
  return { metadata: { ...metadata, UID: metadata.uid }, spec, status }
}

const codes: Record<string, number> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413 }
const maxAnnotationBytes = 10 * 1024

/** Gathers what all policies say, and says it in the end. */
class Decisions {
  readonly #request: AdmissionRequest
  /** The first one is told. */
  #refusal: { message: string; reason: string } | undefined
  readonly #annotations = new Map<string, Set<string>>()

  constructor(request: AdmissionRequest) {
    this.#request = request
  }

  /** What is wrong with the policy itself counts as a denial, unless its failurePolicy ignores that. */
  under(policy: ValidatingAdmissionPolicy, binding: ValidatingAdmissionPolicyBinding, evaluate: () => void): void {
    try {
      evaluate()
    } catch (error) {
      if (!(error instanceof ConfigurationError) && !(error instanceof StatusError)) throw error
      if (policy.spec.failurePolicy === 'Ignore') return
      this.#refuse(policy, binding, `failed to configure binding: ${error.message}`, 'Invalid')
    }
  }

  deny(policy: ValidatingAdmissionPolicy, binding: ValidatingAdmissionPolicyBinding, denial: Denial): void {
    const { context } = this.#request
    const validationActions = binding.spec.validationActions ?? []
    const [policyName, bindingName] = [nameOf(policy), nameOf(binding)]
    const { message, index, reason } = denial
    for (const action of validationActions) {
      if (action === 'Deny') this.#refuse(policy, binding, message, reason ?? 'Invalid')
      else if (action === 'Warn') {
        context.warn(
          `Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${message}`,
        )
      } else {
        const failure = { message, policy: policyName, binding: bindingName, expressionIndex: index, validationActions }
        context.annotate?.('validation.policy.admission.k8s.io/validation_failure', JSON.stringify([failure]))
      }
    }
  }

  note(policy: ValidatingAdmissionPolicy, key: string, value: string): void {
    const name = `${nameOf(policy)}/${key}`
    const values = this.#annotations.get(name) ?? new Set()
    this.#annotations.set(name, values.add(value.slice(0, maxAnnotationBytes)))
  }

  /** Throws the refusal, if there is one. */
  conclude(): void {
    const { context, definition, name } = this.#request
    for (const [key, values] of this.#annotations) context.annotate?.(key, [...values].join(', '))
    if (!this.#refusal) return
    const { message, reason } = this.#refusal
    const { status } = forbidden(definition.group, definition.plural, name, message)
    const details = { ...status.details, causes: [{ message }] }
    throw new StatusError({ ...status, reason, code: codes[reason] ?? 422, details })
  }

  #refuse(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    message: string,
    reason: string,
  ): void {
    const who = `ValidatingAdmissionPolicy '${nameOf(policy)}' with binding '${nameOf(binding)}'`
    this.#refusal ??= { message: `${who} denied request: ${message}`, reason }
  }
}

function nameOf({ metadata }: KubernetesObject): string {
  return metadata.name
}
