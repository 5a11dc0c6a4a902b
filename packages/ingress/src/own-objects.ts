/**
 * What the ingress brings to its cluster: the class of Ingresses, which is the default one, the CRDs of the Gateway API
 * (gateway-api.json; docs/ingress.md says where its facts come from), and the class of Gateways.
 *
 * What is there stays as it is, so that a person may change it; only CRDs of an older bundle that we made are replaced.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { isConditionTrue } from '@dinghy/shared/api/conditions'
import { hasReason } from '@dinghy/shared/api/errors'
import { CustomResourceDefinitions, IngressClasses, type Resource } from '@dinghy/shared/api/resources'
import type { Draft, KubernetesObject } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { type Definition, digestAnnotation, gatewayDefinitions, managerAnnotation } from './gateway/definitions.ts'
import { GatewayClasses } from './gateway/types.ts'
import { controllerName } from './routing/ingress-routes.ts'

const className = 'dinghy'
const establishPollMs = 100

export async function ensureOwnObjects(client: ApiClient, clock: Clock, signal: AbortSignal): Promise<void> {
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' }
  const metadata = { name: className }
  await create(
    client,
    IngressClasses,
    { metadata: { ...metadata, annotations }, spec: { controller: controllerName } },
    signal,
  )
  const definitions = gatewayDefinitions()
  for (const definition of definitions) await ensureDefinition(client, definition, signal)
  for (const definition of definitions) await untilEstablished(client, definition.metadata.name, clock, signal)
  await create(client, GatewayClasses, { metadata, spec: { controllerName } }, signal)
}

/** False: it was there. */
async function create<T extends KubernetesObject>(
  client: ApiClient,
  resource: Resource<T>,
  object: Draft<T>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await client.create(resource, object, {}, signal)
    return true
  } catch (error) {
    if (hasReason(error, 'AlreadyExists')) return false
    throw error
  }
}

async function untilEstablished(client: ApiClient, name: string, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { status } = await client.get(CustomResourceDefinitions, { name }, {}, signal)
    if (isConditionTrue(status.conditions, 'Established')) return
    await clock.sleep(establishPollMs, signal)
  }
}

async function ensureDefinition(client: ApiClient, definition: Definition, signal: AbortSignal): Promise<void> {
  if (await create(client, CustomResourceDefinitions, definition, signal)) return
  const { name, annotations } = definition.metadata
  const present = await client.get(CustomResourceDefinitions, { name }, {}, signal)
  const before = present.metadata.annotations ?? {}
  if (before[managerAnnotation] !== controllerName) return
  if (before[digestAnnotation] === annotations[digestAnnotation]) return
  await client.update(
    CustomResourceDefinitions,
    {
      ...present,
      metadata: { ...present.metadata, annotations: { ...before, ...annotations } },
      spec: definition.spec,
    },
    {},
    signal,
  )
}
