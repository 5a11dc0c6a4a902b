/**
 * ValidatingAdmissionWebhook: asks the webhooks that may refuse a request, all at once, when nobody changes it any
 * more. Follows k8s.io/apiserver/pkg/admission/plugin/webhook/validating. If several refuse, the first one in their
 * order is heard, so that the same request always gets the same answer.
 */

import { ValidatingWebhookConfigurations } from '@dinghy/shared/api/resources'
import type { AdmissionPlugin, AdmissionRequest } from '../../registry/admission.ts'
import { isExempt } from '../match/rules.ts'
import { callWebhook, type CallerDeps } from './caller.ts'
import { Hooks } from './hooks.ts'

type HooksDeps = ConstructorParameters<typeof Hooks>[1]

export function validatingAdmissionWebhook(deps: HooksDeps & CallerDeps): AdmissionPlugin {
  const hooks = new Hooks(ValidatingWebhookConfigurations, deps)
  const askAll = async (request: AdmissionRequest): Promise<void> => {
    const calls = hooks.all().map(async (hook) => {
      const version = await hooks.match(hook, request)
      if (version) await callWebhook(deps, hook.webhook, request, version, false)
    })
    for (const outcome of await Promise.allSettled(calls)) if (outcome.status === 'rejected') throw outcome.reason
  }
  return {
    name: 'ValidatingAdmissionWebhook',
    validate: (request) => (hooks.isEmpty || isExempt(request) ? undefined : askAll(request)),
  }
}
