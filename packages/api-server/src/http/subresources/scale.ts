/**
 * pods-per-something as one small object: autoscaling/v1 Scale, the same for every kind that has replicas.
 *
 * A Scale is a view: reading takes three numbers out of the object, writing puts one back and leaves the rest alone.
 */

import { badRequest, conflict, internalError, invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { labelSelectorFrom, labelSelectorFromMap, selectorToString } from '@dinghy/shared/api/selectors'
import type { KubernetesObject, LabelSelector } from '@dinghy/shared/api/types'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import { applyPatch } from '../../patch/patch.ts'
import type { ResourceDefinition, ScalePaths } from '../../registry/resource-definition.ts'
import { scaleColumns } from '../../registry/columns/workloads.ts'
import { setNestedField, nestedField } from '../../registry/nested-field.ts'
import { objectOf, prepare } from '../../registry/resources.ts'
import { decodeRequest } from '../decode-request.ts'
import { admit, admittedContext } from '../admit.ts'
import type { Exchange } from '../exchange.ts'
import type { Reply } from '../reply.ts'
import { negotiate } from '../negotiation.ts'
import { tableOptions } from '../read-verbs.ts'
import { encoded, jsonReply } from '../reply.ts'
import { encode, tableOf } from '../represent.ts'
import { fieldValidation, isDryRun } from '../request-options.ts'
import type { Services } from '../services.ts'
import { refOf } from '../object-ref.ts'
import { conformPatched } from '../write-verbs.ts'

interface Scale extends KubernetesObject {
  spec?: { replicas?: number }
  status?: { replicas: number; selector?: string }
}

export async function getScale(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  const entry = services.store.get(definition, refOf(exchange, definition))
  await prepare(definition, [entry])
  const scale = scaleOf(definition, objectOf(definition, entry))
  const format = negotiate(exchange.request.headers.accept)
  if (format.transform?.kind !== 'Table') return encoded(format, encode(scale))
  const { resourceVersion } = scale.metadata
  const options = tableOptions(exchange, services)
  const table = tableOf(format.transform.apiVersion, { columns: scaleColumns }, [scale], { resourceVersion }, options)
  return encoded(format, encode(table))
}

export async function updateScale(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply> {
  const dryRun = isDryRun(exchange, 'UpdateOptions')
  const object = await decodeRequest<Scale>(exchange, scaleTarget(services.types), 'UpdateOptions')
  return writeScale(exchange, definition, services, dryRun, () => object)
}

export async function patchScale(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply> {
  const dryRun = isDryRun(exchange, 'PatchOptions')
  const body = await exchange.body()
  const validation = fieldValidation(exchange, 'PatchOptions')
  const target = scaleTarget(services.types)
  return writeScale(exchange, definition, services, dryRun, (current) => {
    const contentType = exchange.request.headers['content-type']
    const patched = applyPatch({
      contentType,
      patch: body,
      original: current,
      type: target.type,
      types: services.types,
      accepts: definition.patchTypes,
    })
    return conformPatched(exchange, patched, target, validation)
  })
}

async function writeScale(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
  dryRun: boolean,
  change: (current: Scale) => Scale,
): Promise<Reply> {
  const ref = refOf(exchange, definition)
  const context = exchange.writeContext(dryRun)
  const kind = { group: 'autoscaling', version: 'v1', kind: 'Scale' }
  const { entry } = await services.store.update(
    definition,
    ref,
    async (current) => {
      const [previous, object] = [scaleOf(definition, current), change(scaleOf(definition, current))]
      const sent = { operation: 'UPDATE', definition, kind, object, previous, context } as const
      const scale = await admit(exchange, services, sent)
      requireValid(scale, ref.name)
      requireSameObject(definition, scale, current)
      setNestedField(current, pathsOf(definition).specReplicas, scale.spec?.replicas ?? 0)
      return current
    },
    admittedContext(context),
    { subresource: 'scale' },
  )
  await prepare(definition, [entry])
  return jsonReply(scaleOf(definition, objectOf(definition, entry)))
}

function scaleOf(definition: ResourceDefinition, object: KubernetesObject): Scale {
  const { specReplicas, statusReplicas, selector } = pathsOf(definition)
  const replicas = nestedField(object, specReplicas)
  if (replicas === undefined) {
    const path = JSON.stringify(`.${specReplicas.join('.')}`)
    throw internalError(new Error(`the spec replicas field ${path} does not exist`))
  }
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selected = selector && selectorText(nestedField(object, selector))
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace ? { namespace } : {}), uid, resourceVersion, creationTimestamp },
    spec: { replicas: Number(replicas) },
    status: { replicas: Number(nestedField(object, statusReplicas) ?? 0), ...(selected ? { selector: selected } : {}) },
  }
}

/** A selector may be a LabelSelector, the plain map of older kinds, or text. */
function selectorText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return undefined
  const isLabelSelector = 'matchLabels' in value || 'matchExpressions' in value
  const selector = isLabelSelector
    ? labelSelectorFrom(value as LabelSelector)
    : labelSelectorFromMap(value as Record<string, string>)
  return selectorToString(selector)
}

function requireValid(scale: Scale, name: string): void {
  if (scale.metadata.name && scale.metadata.name !== name) {
    throw badRequest(`the name of the object (${scale.metadata.name}) does not match the name on the URL (${name})`)
  }
  const replicas = scale.spec?.replicas ?? 0
  if (replicas >= 0) return
  const problem = fieldErrors.invalid('spec.replicas', replicas, 'must be greater than or equal to 0')
  throw invalid('autoscaling', 'Scale', name, [problem])
}

/** The store compares the object's own resourceVersion, which a Scale carries along. */
function requireSameObject({ group, plural }: ResourceDefinition, scale: Scale, current: KubernetesObject): void {
  const { resourceVersion, uid } = scale.metadata as Partial<KubernetesObject['metadata']>
  const { name } = current.metadata
  if (uid && uid !== current.metadata.uid) {
    const message = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`
    throw conflict(group, plural, name, message)
  }
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) {
    const message = 'the object has been modified; please apply your changes to the latest version and try again'
    throw conflict(group, plural, name, message)
  }
}

function pathsOf({ plural, subresources }: ResourceDefinition): ScalePaths {
  if (!subresources.scale) throw new Error(`${plural} have a scale subresource but no paths for it`)
  return subresources.scale
}

function scaleTarget(types: TypeSource) {
  return { group: 'autoscaling', version: 'v1', kind: 'Scale', type: 'autoscaling.v1.Scale', types }
}
