/**
 * The webhooks that are configured, in the order in which they are asked: by the names of their configurations, and
 * within one as they are written. What is derived from a configuration is kept as long as that is the present one.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import type { Resource } from '@dinghy/shared/api/resources'
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '@dinghy/shared/api/types'
import type { MutatingWebhook, ValidatingWebhook } from 'kubernetes-types/admissionregistration/v1.js'
import { CostBudget } from '../../cel/cost-budget.ts'
import { loadCel } from '../../cel/load-cel.ts'
import type { Authorizer } from '../../auth/authorize.ts'
import type { AdmissionRequest } from '../../registry/admission.ts'
import { type Compiled, compileConditions } from '../../registry/kinds/admission-expressions.ts'
import type { Reader } from '../../registry/reader.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import type { Resources } from '../../registry/resources.ts'
import { versionsOf } from '../attributes.ts'
import { RequestVariables } from '../expressions.ts'
import { matchConditionsBudget, matchesConditions } from '../match/conditions.ts'
import { matchRules } from '../match/rules.ts'
import { matchesSelectors, parseSelectors, type Selectors } from '../match/selectors.ts'

export type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>

export interface Hook {
  /** Unlike every other one: "configuration/index/name". */
  id: string
  webhook: Webhook
  selectors: Selectors
  /** Compiled when they are first needed. */
  conditions?: Compiled[]
}

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration

export class Hooks {
  readonly #resource: Resource<Configuration>
  readonly #deps: { reader: Reader; resources: Resources; authorizer: Authorizer }
  readonly #parsed = new WeakMap<Configuration, Hook[]>()

  constructor(
    resource: Resource<Configuration>,
    deps: { reader: Reader; resources: Resources; authorizer: Authorizer },
  ) {
    this.#resource = resource
    this.#deps = deps
  }

  get isEmpty(): boolean {
    return this.#deps.reader.count(this.#resource) === 0
  }

  all(): Hook[] {
    return this.#deps.reader.list(this.#resource).flatMap((configuration) => this.#hooksOf(configuration))
  }

  /**
   * The version in which a webhook is to see this request, or undefined if it is not concerned. Throws Forbidden if
   * that cannot be told, and the webhook's failure policy says so.
   */
  async match(hook: Hook, request: AdmissionRequest): Promise<ResourceDefinition | undefined> {
    const { webhook, selectors } = hook
    const { reader, resources } = this.#deps
    const version = matchRules(request, webhook.rules ?? [], webhook.matchPolicy, versionsOf(request, resources))
    if (!version || !matchesSelectors(selectors, request, reader)) return undefined
    if (!webhook.matchConditions?.length) return version
    const cel = await loadCel()
    hook.conditions ??= compileConditions(cel, webhook.matchConditions)
    const variables = new RequestVariables(cel, this.#deps.authorizer, request).in(version)
    const budget = new CostBudget(matchConditionsBudget)
    const matches = matchesConditions(hook.conditions, variables, budget, webhook.failurePolicy)
    if (typeof matches === 'boolean') return matches ? version : undefined
    throw forbidden(request.definition.group, request.definition.plural, request.name, matches.error)
  }

  #hooksOf(configuration: Configuration): Hook[] {
    const parsed = this.#parsed.get(configuration) ?? parse(configuration)
    this.#parsed.set(configuration, parsed)
    return parsed
  }
}

function parse({ metadata, webhooks = [] }: Configuration): Hook[] {
  return webhooks.map((webhook, i) => ({
    id: `${metadata.name}/${i}/${webhook.name}`,
    webhook,
    selectors: parseSelectors(webhook.namespaceSelector, webhook.objectSelector),
  }))
}
