/**
 * ValidatingWebhookConfigurations and MutatingWebhookConfigurations: whom to ask before an object is stored. Here are
 * their rules; who asks is admission/webhook/.
 */

import { duplicate, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1035Label, isDns1123Subdomain } from '@dinghy/shared/api/names'
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '@dinghy/shared/api/types'
import type { MutatingWebhook, ValidatingWebhook } from 'kubernetes-types/admissionregistration/v1.js'
import { loadCel, loadedCel } from '../../cel/load-cel.ts'
import { compileConditions } from './admission-expressions.ts'
import {
  defaultRules,
  failurePolicies,
  matchPolicies,
  validateAdmissionRule,
  validateMatchConditions,
} from './admission-rule.ts'
import { labelSelector, named, oneOf } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { defaultWebhookClient, validateWebhookClient } from './webhook-client.ts'

type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>

export const validatingWebhookConfigurations: KindRules<ValidatingWebhookConfiguration> = {
  strategy: {
    defaults: ({ webhooks }) => webhooks?.forEach(defaultWebhook),
    generationOf: ({ webhooks }) => webhooks,
    validate: ({ webhooks }) => validateWebhooks(webhooks),
    requiresResourceVersion: true,
    load: ({ webhooks }) => loadForConditions(webhooks),
  },
}

export const mutatingWebhookConfigurations: KindRules<MutatingWebhookConfiguration> = {
  strategy: {
    defaults({ webhooks }) {
      for (const webhook of webhooks ?? []) {
        defaultWebhook(webhook)
        webhook.reinvocationPolicy ??= 'Never'
      }
    },
    generationOf: ({ webhooks }) => webhooks,
    validate: ({ webhooks }) => validateWebhooks(webhooks),
    requiresResourceVersion: true,
    load: ({ webhooks }) => loadForConditions(webhooks),
  },
}

async function loadForConditions(webhooks: readonly Webhook[] | undefined): Promise<void> {
  if (webhooks?.some(({ matchConditions }) => matchConditions?.length)) await loadCel()
}

function defaultWebhook(webhook: ValidatingWebhook): void {
  webhook.failurePolicy ??= 'Fail'
  webhook.matchPolicy ??= 'Equivalent'
  webhook.namespaceSelector ??= {}
  webhook.objectSelector ??= {}
  webhook.timeoutSeconds ??= 10
  defaultRules(webhook.rules)
  defaultWebhookClient(webhook.clientConfig)
}

function validateWebhooks(webhooks: Webhook[] | undefined): FieldError[] {
  const names = new Set<string>()
  return (webhooks ?? []).flatMap((webhook, i) => {
    const path = `webhooks[${i}]`
    const errors = [
      ...validateWebhook(webhook, path),
      ...validateReviewVersions(webhook.admissionReviewVersions, `${path}.admissionReviewVersions`),
    ]
    if (names.has(webhook.name)) errors.push(duplicate(`${path}.name`, webhook.name))
    if (webhook.name) names.add(webhook.name)
    return errors
  })
}

const harmlessSideEffects = ['None', 'NoneOnDryRun']

function validateWebhook(webhook: Webhook, path: string): FieldError[] {
  const { name, rules = [], sideEffects, timeoutSeconds } = webhook
  const errors = validateName(name, `${path}.name`)
  errors.push(...rules.flatMap((rule, i) => validateAdmissionRule(rule, `${path}.rules[${i}]`)))
  errors.push(...oneOf(`${path}.failurePolicy`, webhook.failurePolicy, failurePolicies))
  errors.push(...oneOf(`${path}.matchPolicy`, webhook.matchPolicy, matchPolicies))
  if (sideEffects === undefined) {
    errors.push(required(`${path}.sideEffects`, `must specify one of ${harmlessSideEffects.join(', ')}`))
  } else if (!harmlessSideEffects.includes(sideEffects)) {
    errors.push(notSupported(`${path}.sideEffects`, sideEffects, harmlessSideEffects))
  }
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
    const detail = 'the timeout value must be between 1 and 30 seconds'
    errors.push(invalid(`${path}.timeoutSeconds`, timeoutSeconds, detail))
  }
  errors.push(...labelSelector(`${path}.namespaceSelector`, webhook.namespaceSelector))
  errors.push(...labelSelector(`${path}.objectSelector`, webhook.objectSelector))
  errors.push(...oneOf(`${path}.reinvocationPolicy`, webhook.reinvocationPolicy, ['IfNeeded', 'Never']))
  errors.push(...validateWebhookClient(webhook.clientConfig, `${path}.clientConfig`))
  const { matchConditions } = webhook
  if (!matchConditions?.length) return errors
  const compiled = compileConditions(loadedCel(), matchConditions)
  return [...errors, ...validateMatchConditions(matchConditions, compiled, `${path}.matchConditions`)]
}

/** Names of webhooks are global, so they are domains: "pods.policy.example.com". */
function validateName(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)]
  const problems = isDns1123Subdomain(name)
  if (problems.length > 0) return [invalid(path, name, problems.join(','))]
  if (name.split('.').length >= 3) return []
  return [invalid(path, name, 'should be a domain with at least three segments separated by dots')]
}

const knownReviewVersions = ['v1', 'v1beta1']

/** Shared with the conversion webhooks of CustomResourceDefinitions, which need no `hint`. */
export function validateReviewVersions(
  versions: string[] | undefined,
  path: string,
  hint = `must specify one of ${knownReviewVersions.join(', ')}`,
): FieldError[] {
  if (!versions?.length) return [required(path, hint)]
  const errors = versions.flatMap((version, i) =>
    versions.indexOf(version) < i
      ? [invalid(`${path}[${i}]`, version, 'duplicate version')]
      : named(`${path}[${i}]`, version, isDns1035Label(version)),
  )
  if (versions.some((version) => knownReviewVersions.includes(version))) return errors
  return [...errors, invalid(path, versions, `must include at least one of ${knownReviewVersions.join(', ')}`)]
}
