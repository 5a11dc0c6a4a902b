/**
 * Conversion by a webhook: a ConversionReview goes to the author's server, with all the objects that need it, and the
 * converted ones come back in the same order. A webhook may change what an object says and its labels and annotations;
 * everything else of its metadata is the server's, and is put back. Follows apiextensions-apiserver's
 * pkg/apiserver/conversion/webhook_converter.go, in its words.
 */

import { randomUUID } from 'node:crypto'
import { StatusError } from '@dinghy/shared/api/errors'
import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import type { CustomResourceDefinition, KubernetesObject } from '@dinghy/shared/api/types'
import { labels as validateLabels } from '../registry/kinds/checks.ts'
import { validateAnnotations } from '../registry/kinds/object-meta.ts'
import { isObject, type JsonObject } from '../shape/json.ts'
import { WebhookCallError, type WebhookClient } from '../webhooks/webhook-client.ts'
import type { Converter } from './conversion.ts'

const timeoutMs = 30_000
const knownReviews = ['v1', 'v1beta1']

/** Why the conversion failed; without "conversion webhook for …", which is said once. */
class ConversionFault extends Error {}

export function webhookConverter({ spec }: CustomResourceDefinition, client: WebhookClient): Converter {
  const { clientConfig = {}, conversionReviewVersions = [] } = spec.conversion?.webhook ?? {}
  const reviewVersion = conversionReviewVersions.find((version) => knownReviews.includes(version)) ?? 'v1'
  const ask = async (objects: KubernetesObject[], apiVersion: string): Promise<unknown[]> => {
    const uid = randomUUID()
    const review = {
      kind: 'ConversionReview',
      apiVersion: `apiextensions.k8s.io/${reviewVersion}`,
      request: { uid, desiredAPIVersion: apiVersion, objects },
    }
    return convertedObjects(await client.post(clientConfig, review, timeoutMs), uid, reviewVersion)
  }
  return {
    async convert(objects, apiVersion) {
      const foreign = objects.filter((object) => object.apiVersion !== apiVersion)
      const [first] = foreign
      if (!first) return objects
      try {
        const answers = await ask(foreign, apiVersion)
        if (answers.length !== foreign.length) {
          throw new ConversionFault(`returned ${answers.length} objects, expected ${foreign.length}`)
        }
        const converted = new Map(
          foreign.map((object, i) => [object, accepted(object, answers[i], apiVersion, i)] as const),
        )
        return objects.map((object) => converted.get(object) ?? object)
      } catch (error) {
        throw failure(first, error)
      }
    },
  }
}

/** As upstream answers with an error of no kind of its own. */
function failure({ apiVersion, kind }: KubernetesObject, error: unknown): unknown {
  const isOfWebhook = error instanceof WebhookCallError
  if (!isOfWebhook && !(error instanceof ConversionFault)) return error
  const problem = isOfWebhook ? `failed: ${error.message}` : error.message
  const message = `conversion webhook for ${apiVersion}, Kind=${kind} ${problem}`
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 } as const
  return new StatusError(status, { cause: error })
}

interface Answer {
  kind?: string
  apiVersion?: string
  response?: {
    uid?: string
    result?: { status?: string; message?: string }
    convertedObjects?: unknown[]
  }
}

function convertedObjects(answer: unknown, uid: string, reviewVersion: string): unknown[] {
  const { kind = '', apiVersion = '', response } = (answer ?? {}) as Answer
  const expected = `apiextensions.k8s.io/${reviewVersion}, Kind=ConversionReview`
  const fail = (problem: string) => new ConversionFault(`failed: ${problem}`)
  // v1beta1 was less strict.
  if (reviewVersion === 'v1' && `${apiVersion}, Kind=${kind}` !== expected) {
    throw fail(`expected webhook response of ${expected}, got ${apiVersion}, Kind=${kind}`)
  }
  if (!response) throw fail('no response provided')
  if (reviewVersion === 'v1' && response.uid !== uid) {
    throw fail(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`)
  }
  const { status = '', message } = response.result ?? {}
  if (status !== 'Success') throw fail(message || `response.result.status was '${status}', not 'Success'`)
  return response.convertedObjects ?? []
}

function accepted(original: KubernetesObject, answer: unknown, apiVersion: string, i: number): KubernetesObject {
  const invalidObject = (problem: string) =>
    new ConversionFault(`returned invalid converted object at index ${i}: ${problem}`)
  if (!isObject(answer)) throw invalidObject('it is no object')
  const converted = answer as unknown as KubernetesObject
  if (converted.apiVersion !== apiVersion) {
    throw invalidObject(`invalid groupVersion (expected ${apiVersion}, received ${converted.apiVersion})`)
  }
  if (converted.kind !== original.kind) {
    throw invalidObject(`invalid kind (expected ${original.kind}, received ${converted.kind})`)
  }
  const { metadata } = original
  const returned: unknown = converted.metadata
  if (!isObject(returned)) throw metadataFault(i, 'missing metadata in converted object')
  for (const [field, name] of identity) {
    const [was, is] = [metadata[field] ?? '', (returned[field] as string | undefined) ?? '']
    if (was !== is) throw invalidObject(`must have the same ${name}: ${was} != ${is}`)
  }
  const { labels: _labels, annotations: _annotations, ...kept } = metadata
  const changed = { ...changeable('labels', returned, i), ...changeable('annotations', returned, i) }
  return { ...converted, metadata: { ...kept, ...changed } }
}

const identity = [
  ['name', 'name'],
  ['namespace', 'namespace'],
  ['uid', 'UID'],
] as const

function metadataFault(i: number, problem: string): ConversionFault {
  return new ConversionFault(`returned invalid metadata in object at index ${i}: ${problem}`)
}

function changeable(field: 'labels' | 'annotations', metadata: JsonObject, i: number): JsonObject {
  const value = metadata[field]
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw metadataFault(i, `invalid metadata.${field} of type ${typeof value} in converted object`)
  for (const [key, text] of Object.entries(value)) {
    if (typeof text === 'string') continue
    throw metadataFault(i, `metadata.${field}[${key}] must be a string, but is ${typeof text} in converted object`)
  }
  const map = value as Record<string, string>
  const errors =
    field === 'labels' ? validateLabels('metadata.labels', map) : validateAnnotations(map, 'metadata.annotation')
  if (errors.length > 0) throw metadataFault(i, errors.map(fieldErrorMessage).join(', '))
  return { [field]: value }
}
