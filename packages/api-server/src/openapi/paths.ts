/**
 * The paths of an OpenAPI document: every request that can be made of a resource.
 *
 * kubectl reads them with a purpose. A PATCH that declares ?fieldValidation= tells it that the server validates, one
 * that declares ?dryRun= that a dry run is safe; the media types of a PATCH tell it how to apply; the extensions tell
 * `kubectl explain` which kind a path speaks of.
 */

import type { SubresourceShape } from '@dinghy/shared/schema/schema'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { OpenApiSchema, SchemaCollection } from './schemas.ts'

type Paths = Record<string, Record<string, unknown>>

export function pathsOf(definition: ResourceDefinition, schemas: SchemaCollection): Paths {
  const { group, version, plural, namespaced, subresources, patchTypes } = definition
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const collection = namespaced ? `${base}/namespaces/{namespace}/${plural}` : `${base}/${plural}`
  const scope = namespaced ? [pathParameter('namespace')] : []
  const item = [pathParameter('name'), ...scope]
  const object = schemas.refTo(definition.type)
  const paths: Paths = {}
  const add = (path: string, parameters: object[], operations: Record<string, unknown>) => {
    if (Object.keys(operations).length > 0) paths[path] = { parameters, ...operations }
  }

  add(collection, scope, operationsOf(definition, definition.verbs, collectionVerbs, object, schemas))
  add(`${collection}/{name}`, item, operationsOf(definition, definition.verbs, itemVerbs, object, schemas))
  if (namespaced)
    add(`${base}/${plural}`, [], operationsOf(definition, definition.verbs, { list: 'get' }, object, schemas))
  for (const sub of subresources.shapes) {
    const schema = subresourceSchema(definition, sub, schemas)
    add(
      `${collection}/{name}/${sub.name}`,
      item,
      operationsOf({ ...sub, patchTypes }, sub.verbs, subresourceVerbs, schema, schemas),
    )
  }
  return paths
}

const collectionVerbs = { list: 'get', create: 'post', deletecollection: 'delete' }
const itemVerbs = { get: 'get', update: 'put', patch: 'patch', delete: 'delete' }
const subresourceVerbs = { create: 'post', ...itemVerbs }

interface Speaks {
  group: string
  version: string
  kind: string
}

function operationsOf(
  { group, version, kind, ...rest }: Speaks & Partial<ResourceDefinition>,
  verbs: string[],
  methods: Record<string, string>,
  object: OpenApiSchema,
  schemas: SchemaCollection,
): Record<string, unknown> {
  const operations: Record<string, unknown> = {}
  for (const [verb, method] of Object.entries(methods)) {
    if (!verbs.includes(verb)) continue
    const answers = verb === 'list' && rest.type ? listSchema({ group, version, kind, ...rest }, schemas) : object
    operations[method] = {
      tags: [`${group.split('.')[0] || 'core'}_${version}`],
      'x-kubernetes-action': actions[verb] ?? verb,
      'x-kubernetes-group-version-kind': { group, version, kind },
      parameters: (commonParameters[verb] ?? []).map(([name, type]) => queryParameter(name, type)),
      ...requestBody(verb, object, schemas, rest.patchTypes ?? []),
      responses: {
        [verb === 'create' ? '201' : '200']: {
          description: verb === 'create' ? 'Created' : 'OK',
          content: {
            'application/json': { schema: verb.startsWith('delete') ? schemas.refTo('meta.v1.Status') : answers },
          },
        },
      },
    }
  }
  return operations
}

/** The words of x-kubernetes-action differ from the verbs of RBAC. */
const actions: Record<string, string> = { create: 'post', update: 'put' }

const write: [string, string][] = [
  ['dryRun', 'string'],
  ['fieldManager', 'string'],
  ['fieldValidation', 'string'],
]
const select: [string, string][] = [
  ['labelSelector', 'string'],
  ['fieldSelector', 'string'],
  ['limit', 'integer'],
  ['continue', 'string'],
  ['resourceVersion', 'string'],
  ['resourceVersionMatch', 'string'],
  ['sendInitialEvents', 'boolean'],
  ['timeoutSeconds', 'integer'],
]
const deleteParameters: [string, string][] = [
  ['dryRun', 'string'],
  ['gracePeriodSeconds', 'integer'],
  ['orphanDependents', 'boolean'],
  ['propagationPolicy', 'string'],
]
const commonParameters: Record<string, [name: string, type: string][]> = {
  list: [...select, ['watch', 'boolean'], ['allowWatchBookmarks', 'boolean']],
  create: write,
  update: write,
  patch: [...write, ['force', 'boolean']],
  delete: deleteParameters,
  deletecollection: [...deleteParameters, ...select],
}

function requestBody(
  verb: string,
  object: OpenApiSchema,
  schemas: SchemaCollection,
  patchTypes: readonly string[],
): object {
  if (verb === 'create' || verb === 'update') {
    return { requestBody: { required: true, content: { '*/*': { schema: object } } } }
  }
  if (verb === 'delete' || verb === 'deletecollection') {
    return { requestBody: { content: { '*/*': { schema: schemas.refTo('meta.v1.DeleteOptions') } } } }
  }
  if (verb !== 'patch') return {}
  const content = Object.fromEntries(patchTypes.map((type) => [type, { schema: { type: 'object' } }]))
  return { requestBody: { required: true, content } }
}

function listSchema(definition: Partial<ResourceDefinition> & Speaks, schemas: SchemaCollection): OpenApiSchema {
  const { type = '', types, group, version, listKind = '' } = definition
  return types?.type(`${type}List`)
    ? schemas.refTo(`${type}List`)
    : schemas.refToList(type, { group, version, kind: listKind })
}

/** Subresources that stream – logs, exec, proxies – have options in the query and no object. */
function subresourceSchema(
  parent: ResourceDefinition,
  sub: SubresourceShape,
  schemas: SchemaCollection,
): OpenApiSchema {
  const apiVersion = sub.group === '' ? sub.version : `${sub.group}/${sub.version}`
  if (sub.name === 'log') return { type: 'string' }
  const shape =
    sub.kind === parent.kind ? parent.types.type(parent.type) : parent.types.typeOfKind(apiVersion, sub.kind)
  return shape ? schemas.refTo(shape.name) : { type: 'string' }
}

function pathParameter(name: string): object {
  return { name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } }
}

function queryParameter(name: string, type: string): object {
  return { name, in: 'query', schema: { type, uniqueItems: true } }
}
