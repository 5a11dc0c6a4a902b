/**
 * The CustomResourceDefinitions of the Gateway API's standard channel, put together from gateway-api.json.
 *
 * That file holds facts of the published API (release 1.3: fields, limits, defaults, validation rules with their
 * messages) in our own arrangement and with our own descriptions: a type that is used more than once stands there once,
 * and `{"$ref": NAME, …}` is that type with what else is said of it. What later releases added to the standard channel
 * (CORS filters, named rules, BackendTLSPolicy) is not there, nor is v1beta1 of what has a v1: every version costs the
 * API server its compiled rules.
 */

import { readFileSync } from 'node:fs'
import { canonicalJson, fnv1a } from '@dinghy/shared/api/hash'
import type { CustomResourceDefinition, Draft } from '@dinghy/shared/api/types'
import { controllerName } from '../routing/ingress-routes.ts'
import { gatewayGroup } from './types.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

interface KindFacts {
  kind: string
  plural: string
  shortNames?: string[]
  scope: 'Namespaced' | 'Cluster'
  version: string
  description: string
  columns: JsonObject[]
  spec: JsonObject
  status?: JsonObject
}

interface Facts {
  bundleVersion: string
  types: Record<string, JsonObject>
  kinds: KindFacts[]
}

export type Definition = Draft<CustomResourceDefinition> & {
  metadata: { name: string; annotations: Record<string, string> }
}

/** Whose CRD it is, so that one that somebody else has installed is left alone, and whether it is this one. */
export const managerAnnotation = 'dinghy.dev/managed-by'
export const digestAnnotation = 'dinghy.dev/digest'

/** The file is read, and forgotten: it is needed once. */
export function gatewayDefinitions(): Definition[] {
  const facts = JSON.parse(readFileSync(new URL('./gateway-api.json', import.meta.url), 'utf8')) as Facts
  return facts.kinds.map((kind) => definitionOf(kind, facts))
}

function definitionOf(kind: KindFacts, { bundleVersion, types }: Facts): Definition {
  const { plural, scope, version, columns, shortNames } = kind
  const properties: JsonObject = {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: expanded(kind.spec, types),
    ...(kind.status ? { status: expanded(kind.status, types) } : {}),
  }
  const openAPIV3Schema = { type: 'object', description: kind.description, properties, required: ['spec'] }
  const spec = {
    group: gatewayGroup,
    names: {
      kind: kind.kind,
      listKind: `${kind.kind}List`,
      plural,
      singular: kind.kind.toLowerCase(),
      categories: ['gateway-api'],
      ...(shortNames ? { shortNames } : {}),
    },
    scope,
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema },
        additionalPrinterColumns: columns,
        subresources: kind.status ? { status: {} } : {},
      },
    ],
  }
  return {
    metadata: {
      name: `${plural}.${gatewayGroup}`,
      annotations: {
        // The server asks for this of every group below k8s.io: it is where the API was approved.
        'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api/pull/3328',
        'gateway.networking.k8s.io/bundle-version': bundleVersion,
        'gateway.networking.k8s.io/channel': 'standard',
        [managerAnnotation]: controllerName,
        [digestAnnotation]: fnv1a(canonicalJson(spec)).toString(16),
      },
    },
    spec: spec as unknown as CustomResourceDefinition['spec'],
  }
}

function expanded(json: Json, types: Record<string, JsonObject>): Json {
  if (Array.isArray(json)) return json.map((one) => expanded(one, types))
  if (typeof json !== 'object' || json === null) return json
  const { $ref: name, ...rest } = json
  const own = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, expanded(value, types)]))
  if (typeof name !== 'string') return own
  const type = types[name]
  if (!type) throw new Error(`gateway-api.json has no type ${name}`)
  return { ...(expanded(type, types) as JsonObject), ...own }
}
