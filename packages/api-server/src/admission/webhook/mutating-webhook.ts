/**
 * MutatingAdmissionWebhook: asks the webhooks that may change an object, one after the other, each about what the one
 * before left. Follows k8s.io/apiserver/pkg/admission/plugin/webhook/mutating.
 *
 * If one changes something, the whole admit stage runs once more, and webhooks whose reinvocationPolicy is IfNeeded are
 * asked again if the object is no longer as they left it.
 */

import { internalError } from '@dinghy/shared/api/errors'
import { sameJson } from '@dinghy/shared/api/same-json'
import { MutatingWebhookConfigurations } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { applyJsonPatch } from '../../patch/json-patch.ts'
import type { AdmissionPlugin, AdmissionRequest, Admitted } from '../../registry/admission.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { conformTo, defaultAndConvert } from '../../registry/resources.ts'
import { isObject } from '../../shape/json.ts'
import { named, objectsIn } from '../attributes.ts'
import { isExempt } from '../match/rules.ts'
import { callWebhook, type CallerDeps } from './caller.ts'
import { type Hook, Hooks } from './hooks.ts'

type HooksDeps = ConstructorParameters<typeof Hooks>[1]

/** What is remembered of a request between its two runs. */
interface Reinvocation {
  /** Webhooks that want to be asked again, and were asked. */
  asked: Set<string>
  /** Those of them that somebody changed the object after. */
  stale: Set<string>
  /** The object as the last webhook left it. */
  left: KubernetesObject | undefined
}

export function mutatingAdmissionWebhook(deps: HooksDeps & CallerDeps): AdmissionPlugin {
  const hooks = new Hooks(MutatingWebhookConfigurations, deps)
  const remembered = new WeakMap<AdmissionRequest, Reinvocation>()
  const askAll = async (request: AdmissionRequest): Promise<Admitted> => {
    const state = remembered.get(request) ?? { asked: new Set(), stale: new Set(), left: undefined }
    remembered.set(request, state)
    // The plugins of the second run may have changed the object, too.
    if (request.isReinvocation && !sameJson(state.left, request.object)) state.stale = new Set(state.asked)
    let isChanged = false
    for (const hook of hooks.all()) {
      const version = await hooks.match(hook, request)
      if (!version || (request.isReinvocation && !state.stale.has(hook.id))) continue
      if (await ask(deps, hook, request, version)) {
        isChanged = true
        state.stale = new Set(state.asked)
      }
      state.stale.delete(hook.id)
      if (hook.webhook.reinvocationPolicy === 'IfNeeded') state.asked.add(hook.id)
    }
    state.left = structuredClone(request.object)
    return isChanged ? 'reinvoke' : undefined
  }
  return {
    name: 'MutatingAdmissionWebhook',
    admit: (request) => (hooks.isEmpty || isExempt(request) ? undefined : askAll(request)),
  }
}

/** Whether the webhook changed the object. */
async function ask(
  deps: CallerDeps,
  { webhook }: Hook,
  request: AdmissionRequest,
  version: ResourceDefinition,
): Promise<boolean> {
  const patch = await callWebhook(deps, webhook, request, version, true)
  if (patch.length === 0) return false
  const { object } = objectsIn(version, request)
  if (!object || request.operation === 'DELETE') {
    const name = JSON.stringify(webhook.name)
    const problem = `admission webhook ${name} attempted to modify the object, which is not supported for this operation`
    throw internalError(new Error(problem))
  }
  const patched = await patchedObject(object, patch, request, version)
  if (sameJson(patched, request.object)) return false
  request.object = patched
  return true
}

/** In the stored version again, with only the fields that its type has, and with its defaults. */
async function patchedObject(
  object: KubernetesObject,
  patch: unknown[],
  { kind, definition }: AdmissionRequest,
  version: ResourceDefinition,
): Promise<KubernetesObject> {
  const patched = await Promise.resolve()
    .then(() => applyJsonPatch(named(object, version), patch))
    .catch((error: unknown) => {
      throw internalError(error)
    })
  if (!isObject(patched)) throw internalError(new Error('the patch leaves no object'))
  if (kind) return patched as unknown as KubernetesObject
  try {
    const conformed = conformTo(version, patched).object as unknown as KubernetesObject
    return defaultAndConvert(version, definition, conformed)
  } catch (error) {
    throw internalError(error)
  }
}
