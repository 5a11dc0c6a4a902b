/**
 * Stores the FlowSchemas and PriorityLevelConfigurations that every cluster has, in one commit and past admission, as
 * those of RBAC. One that upstream only suggests and somebody changed (annotation apf.kubernetes.io/autoupdate-spec:
 * "false") stays as it is. Keeps the condition Dangling of FlowSchemas, too.
 */

import { apiVersionOf, FlowSchemas, PriorityLevelConfigurations, type Resource } from '@dinghy/shared/api/resources'
import { sameJson } from '@dinghy/shared/api/same-json'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { fillForCreate } from '../registry/object-meta.ts'
import { objectKey } from '../registry/object-key.ts'
import type { StoreParts } from '../registry/store-parts.ts'
import { serverContext } from '../registry/write-context.ts'
import { fillAlwaysWritten } from '../shape/fill.ts'
import type { Mutation } from '../storage/storage.ts'
import { defaultFlowSchemas, defaultPriorityLevels } from './defaults.ts'

const autoUpdate = 'apf.kubernetes.io/autoupdate-spec'

export async function ensureFlowControlDefaults(parts: StoreParts): Promise<void> {
  const writes: Mutation[] = []
  for (const [name, spec] of Object.entries(defaultPriorityLevels)) {
    writes.push(...written(parts, PriorityLevelConfigurations, name, spec, {}))
  }
  for (const [name, spec] of Object.entries(defaultFlowSchemas)) {
    const level = spec.priorityLevelConfiguration.name
    const found = {
      type: 'Dangling',
      status: 'False',
      lastTransitionTime: nowRfc3339(parts.clock),
      reason: 'Found',
      message: `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)} and it exists`,
    }
    writes.push(...written(parts, FlowSchemas, name, spec, { status: { conditions: [found] } }))
  }
  if (writes.length > 0) await parts.storage.write(writes)
}

/** The write that brings one up to date, if there is one. */
function written(parts: StoreParts, resource: Resource, name: string, spec: object, more: object): Mutation[] {
  const key = objectKey(resource, undefined, name)
  const current = parts.storage.get(key)
  const { actor } = serverContext
  if (current) {
    const object = current.copy() as KubernetesObject & { spec: object }
    if (object.metadata.annotations?.[autoUpdate] !== 'true' || sameJson(object.spec, spec)) return []
    const generation = (object.metadata.generation ?? 0) + 1
    const next = { ...object, metadata: { ...object.metadata, generation }, spec }
    return [{ key, expected: current.revision, object: next, actor }]
  }
  const definition = parts.resources.definitionOf(resource)
  const object = {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, annotations: { [autoUpdate]: 'true' } },
    spec: structuredClone(spec),
    ...more,
  } as unknown as KubernetesObject
  fillForCreate(definition, object, parts.clock.now())
  fillAlwaysWritten(object, definition.type, definition.types)
  return [{ key, expected: 0, object, actor }]
}
