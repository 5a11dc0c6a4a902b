/**
 * Accept: which of the forms that this server can write does the client want?
 *
 * Forms: JSON and YAML; Table and PartialObjectMetadata as transforms of either. Protobuf is never written: clients
 * that ask for it list JSON too, and the few that do not are sent JSON all the same, which client-go reads by
 * Content-Type.
 */

import { notAcceptable } from '@dinghy/shared/api/errors'

export interface Format {
  mediaType: 'application/json' | 'application/yaml'
  transform: Transform | undefined
}

export interface Transform {
  kind: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList'
  apiVersion: string
}

const jsonFormat: Format = { mediaType: 'application/json', transform: undefined }

const accepted = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const jsonTypes = new Set(['application/json', 'application/*', '*/*', 'application/vnd.kubernetes.protobuf'])

/** The first clause that can be met, as upstream (which does not weigh q either). Throws NotAcceptable. */
export function negotiate(accept: string | undefined, { hasTable = true } = {}): Format {
  if (!accept || accept === 'application/json' || accept.trim() === '') return jsonFormat
  for (const clause of parseAccept(accept)) {
    const mediaType = mediaTypeOf(clause.type)
    if (!mediaType) continue
    const kind = clause.parameters['as']
    if (kind === undefined) return { mediaType, transform: undefined }
    const transform = transformOf(kind, clause.parameters)
    if (transform && (hasTable || transform.kind !== 'Table')) return { mediaType, transform }
  }
  throw notAcceptable(accepted)
}

export interface AcceptClause {
  type: string
  parameters: Record<string, string>
}

export function parseAccept(accept: string): AcceptClause[] {
  return accept
    .split(',')
    .map((clause) => clause.split(';').map((part) => part.trim()))
    .map(([type = '', ...parameters]) => ({
      type: type.toLowerCase(),
      parameters: Object.fromEntries(parameters.map(splitParameter)),
    }))
}

function splitParameter(text: string): [string, string] {
  const equals = text.indexOf('=')
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1).replace(/^"|"$/g, '')]
}

function mediaTypeOf(type: string): Format['mediaType'] | undefined {
  if (jsonTypes.has(type)) return 'application/json'
  return type === 'application/yaml' ? 'application/yaml' : undefined
}

function transformOf(kind: string, { g, v }: Record<string, string>): Transform | undefined {
  if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined
  if (kind !== 'Table' && kind !== 'PartialObjectMetadata' && kind !== 'PartialObjectMetadataList') return undefined
  return { kind, apiVersion: `meta.k8s.io/${v}` }
}
