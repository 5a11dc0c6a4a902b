/**
 * A CustomResourceDefinition as what the rest of this process works with: one ResourceDefinition for each version of
 * the resource, no different from those of Kubernetes' own kinds.
 */

import { apiVersionOf } from '@dinghy/shared/api/resources'
import { isConditionTrue } from '@dinghy/shared/api/conditions'
import type { CustomResourceDefinition, KubernetesObject } from '@dinghy/shared/api/types'
import type { SubresourceShape } from '@dinghy/shared/schema/schema'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import type {
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
} from 'kubernetes-types/apiextensions/v1.js'
import { compareVersions } from '../discovery.ts'
import { applyPatchType, jsonPatch, mergePatchType } from '../patch/patch.ts'
import type { ResourceDefinition, ScalePaths, StorageLocation } from '../registry/resource-definition.ts'
import { fillDefaults } from '../structural/fill-defaults.ts'
import { findByPath, parseJsonPath } from '../structural/json-path.ts'
import { conformResource, prunedResource, withPrunedDefaults } from '../structural/prune.ts'
import type { ResourceSchema } from '../structural/resource-schema.ts'
import { StructuralTypes, typeNameOf } from '../structural/structural-types.ts'
import { columnsFor } from './columns.ts'
import { noConversion, type Converter } from './conversion.ts'
import { convertedView, plainView } from './stored-views.ts'
import { strategyOf, type ValidateRules } from './strategy.ts'

export interface DefinitionParts {
  /** Kubernetes' own types: ObjectMeta, Scale. */
  types: TypeSource
  /** How versions are converted; the same object for none, so that no webhook is asked. */
  converter: Converter
  /** The rules in CEL of a schema; undefined if it has none. */
  rulesOf(schema: ResourceSchema): ValidateRules | undefined
}

export interface VersionDefinition {
  definition: ResourceDefinition
  isServed: boolean
  isStored: boolean
}

const everyVerb = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']
/** Of a resource that is going: nothing new may come. */
const lastVerbs = ['delete', 'deletecollection', 'get', 'list', 'watch']
const subresourceVerbs = ['get', 'patch', 'update']

export function definitionsOf(crd: CustomResourceDefinition, parts: DefinitionParts): VersionDefinition[] {
  const schemas = new Map(
    crd.spec.versions.map((version) => {
      const { type = 'object', ...schema } = (version.schema?.openAPIV3Schema ?? {}) as ResourceSchema
      return [version.name, withPrunedDefaults({ type, ...schema }, parts.types)] as const
    }),
  )
  return crd.spec.versions.map((version) => ({
    definition: definitionOf(crd, version, schemas, parts),
    isServed: version.served,
    isStored: version.storage,
  }))
}

function definitionOf(
  crd: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  schemas: ReadonlyMap<string, ResourceSchema>,
  parts: DefinitionParts,
): ResourceDefinition {
  const { group, scope } = crd.spec
  const names = acceptedNames(crd)
  const schema = schemas.get(version.name) ?? {}
  const identity = { group, version: version.name, kind: names.kind }
  const types = new StructuralTypes(identity, schema, parts.types)
  const hasStatus = Boolean(version.subresources?.status)
  const scale = scaleOf(version)
  const isGoing = isConditionTrue(crd.status?.conditions, 'Terminating')
  return {
    ...identity,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: isGoing ? lastVerbs : everyVerb,
    type: typeNameOf(identity),
    types,
    conform: (value) => conformResource(value, schema, parts.types),
    patchTypes: [jsonPatch, mergePatchType, applyPatchType],
    ...deprecationOf(crd, version),
    storage: storageOf(crd, version, schemas, parts),
    strategy: strategyOf({ schema, hasStatus, scale, types: parts.types, validateRules: parts.rulesOf(schema) }),
    columns: columnsFor(version.additionalPrinterColumns),
    subresources: {
      status: hasStatus,
      ...(scale ? { scale } : {}),
      others: [],
      shapes: subresourceShapes(identity, hasStatus, scale),
    },
    selectableFields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), readerOf(jsonPath)]),
    ),
  }
}

/** Names count from when they were accepted, not from when they were asked for. */
function acceptedNames({ spec, status }: CustomResourceDefinition): CustomResourceDefinitionNames {
  return status?.acceptedNames?.plural ? status.acceptedNames : spec.names
}

function storageOf(
  crd: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  schemas: ReadonlyMap<string, ResourceSchema>,
  { types, converter }: DefinitionParts,
): StorageLocation {
  const { group, names, versions } = crd.spec
  const schema = schemas.get(version.name) ?? {}
  const storedIn = versions.find(({ storage }) => storage)?.name ?? version.name
  const storedSchema = schemas.get(storedIn) ?? {}
  const storedVersion = apiVersionOf({ group, version: storedIn })
  const apiVersion = apiVersionOf({ group, version: version.name })
  const complete = (object: KubernetesObject) => {
    const pruned = prunedResource(object, schema, types) as KubernetesObject
    fillDefaults(pruned, schema)
    return pruned
  }
  return {
    group,
    plural: names.plural,
    version: version.name,
    ...(converter === noConversion
      ? {
          view: plainView(apiVersion, noConversion, complete),
          convert: (object, version) => ({ ...object, apiVersion: version }),
        }
      : { view: convertedView(apiVersion, converter, complete) }),
    ...(storedIn === version.name
      ? {}
      : {
          async encode(object: KubernetesObject) {
            const [converted = object] = await converter.convert([structuredClone(object)], storedVersion)
            return prunedResource(converted, storedSchema, types) as KubernetesObject
          },
        }),
  }
}

function scaleOf({ subresources }: CustomResourceDefinitionVersion): ScalePaths | undefined {
  const scale = subresources?.scale
  if (!scale) return undefined
  const path = (text: string) => text.replace(/^\./, '').split('.')
  return {
    specReplicas: path(scale.specReplicasPath),
    statusReplicas: path(scale.statusReplicasPath),
    ...(scale.labelSelectorPath ? { selector: path(scale.labelSelectorPath) } : {}),
  }
}

function subresourceShapes(
  identity: { group: string; version: string; kind: string },
  hasStatus: boolean,
  scale: ScalePaths | undefined,
): SubresourceShape[] {
  const verbs = subresourceVerbs
  return [
    ...(hasStatus ? [{ name: 'status', ...identity, verbs }] : []),
    ...(scale ? [{ name: 'scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs }] : []),
  ]
}

function deprecationOf(
  { spec }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): { deprecation?: string } {
  if (!version.deprecated) return {}
  if (version.deprecationWarning !== undefined) return { deprecation: version.deprecationWarning }
  const name = (version: string) => `${spec.group}/${version} ${spec.names.kind}`
  const [newer] = spec.versions
    .filter(({ served, deprecated, name }) => served && !deprecated && compareVersions(name, version.name) < 0)
    .map(({ name }) => name)
    .sort(compareVersions)
  const advice = newer === undefined ? '' : `; use ${name(newer)}`
  return { deprecation: `${name(version.name)} is deprecated${advice}` }
}

function readerOf(jsonPath: string): (object: KubernetesObject) => string {
  const path = parseJsonPath(jsonPath)
  return (object) => {
    const [value] = findByPath(path, object)
    return value === undefined || value === null ? '' : String(value)
  }
}
