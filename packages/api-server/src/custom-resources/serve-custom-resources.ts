/**
 * The beginning of custom resources in a process: nothing of what serves them is loaded before there is a definition.
 */

import { CustomResourceDefinitions } from '@dinghy/shared/api/resources'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import type { Logger } from '@dinghy/shared/process/logger'
import { keyPrefix } from '../registry/object-key.ts'
import type { Reader } from '../registry/reader.ts'
import type { Resources } from '../registry/resources.ts'
import type { Store } from '../registry/store.ts'
import type { WebhookClient } from '../webhooks/webhook-client.ts'

export interface CustomResourceParts {
  store: Store
  resources: Resources
  reader: Reader
  types: TypeSource
  webhooks: WebhookClient
  log: Logger
}

/**
 * Resolves when everything that has been established is served. `finished` is for who closes the server: it resolves
 * after the signal aborts, and rejects when custom resources are no longer followed for another reason.
 */
export async function serveCustomResources(
  parts: CustomResourceParts,
  signal: AbortSignal,
): Promise<{ finished: Promise<void> }> {
  const { storage } = parts.store.parts
  const prefix = keyPrefix(CustomResourceDefinitions)
  const from = storage.revision
  if (storage.count(prefix) > 0) {
    const controller = await load(parts)
    await controller.start()
    return { finished: controller.run(from, signal) }
  }
  const follow = async () => {
    for await (const event of storage.watch(prefix, from, signal)) {
      if (event.type === 'PROGRESS') continue
      const controller = await load(parts)
      return controller.run(from, signal)
    }
  }
  return { finished: follow() }
}

async function load(parts: CustomResourceParts) {
  const [{ CustomResourceController }, { noConversion }, { webhookConverter }, { loadRules, rulesOf }] =
    await Promise.all([
      import('./custom-resource-controller.ts'),
      import('./conversion.ts'),
      import('./webhook-conversion.ts'),
      import('./resource-rules.ts'),
    ])
  return new CustomResourceController({
    ...parts,
    loadRules,
    rulesOf,
    converterFor: (definition) =>
      definition.spec.conversion?.strategy === 'Webhook' ? webhookConverter(definition, parts.webhooks) : noConversion,
  })
}
