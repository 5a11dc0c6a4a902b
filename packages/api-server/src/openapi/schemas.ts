/**
 * The schemas of an OpenAPI document: every type that its resources mention, under the names Kubernetes publishes.
 */

import { describeField, describeType } from './descriptions.ts'
import type { FieldShape, Scalar, TypeRef, TypeShape, TypeSource } from '@dinghy/shared/schema/type-shape'

export interface OpenApiSchema {
  [keyword: string]: unknown
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1'

/** Schemas are collected as they are first referred to, so that a document holds what it needs and no more. */
export class SchemaCollection {
  readonly schemas: Record<string, OpenApiSchema> = {}
  readonly #types: TypeSource

  constructor(types: TypeSource) {
    this.#types = types
  }

  refTo(typeName: string): OpenApiSchema {
    const name = publishedName(typeName)
    if (!Object.hasOwn(this.schemas, name)) {
      const shape = this.#types.type(typeName)
      if (!shape) throw new Error(`no type ${typeName} in the schema`)
      this.schemas[name] = {} // types refer to themselves: JSONSchemaProps
      this.schemas[name] = this.#describe(shape)
    }
    return ref(name)
  }

  /** The list of a kind that has no list type of its own. */
  refToList(typeName: string, gvk: { group: string; version: string; kind: string }): OpenApiSchema {
    const name = `${publishedName(typeName)}List`
    this.schemas[name] ??= {
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: this.refTo('meta.v1.ListMeta'),
        items: { type: 'array', items: this.refTo(typeName) },
      },
      'x-kubernetes-group-version-kind': [gvk],
    }
    return ref(name)
  }

  #describe(shape: TypeShape): OpenApiSchema {
    if (shape.publish) return shape.publish((type) => this.refTo(type)) as OpenApiSchema
    const fields = [...shape.fields.values()]
    const required = fields.filter((field) => field.required).map((field) => field.name)
    const description = describeType(shape.name)
    return {
      ...(description ? { description } : {}),
      type: 'object',
      ...(required.length > 0 ? { required } : {}),
      properties: Object.fromEntries(fields.map((field) => [field.name, this.#property(field, shape)])),
      ...(shape.gvk ? { 'x-kubernetes-group-version-kind': [shape.gvk] } : {}),
      ...(shape.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(shape.preservesUnknownFields ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
      ...(shape.union
        ? {
            'x-kubernetes-unions': [
              { discriminator: shape.union.discriminator, 'fields-to-discriminateBy': shape.union.fields },
            ],
          }
        : {}),
    }
  }

  #property(field: FieldShape, owner: TypeShape): OpenApiSchema {
    const schema = this.#reference(field.type)
    const description = describeField(owner, field.name)
    const extensions = { ...(description ? { description } : {}), ...extensionsOf(field) }
    if (Object.keys(extensions).length === 0) return schema
    // OpenAPI 3.0 ignores whatever stands beside a $ref.
    return '$ref' in schema ? { allOf: [schema], ...extensions } : { ...schema, ...extensions }
  }

  #reference(type: TypeRef): OpenApiSchema {
    switch (type.kind) {
      case 'list':
        return { type: 'array', items: this.#reference(type.of) }
      case 'map':
        return { type: 'object', additionalProperties: this.#reference(type.of) }
      case 'object':
        return this.refTo(type.type)
      default:
        return this.#scalar(type.scalar)
    }
  }

  #scalar(scalar: Scalar): OpenApiSchema {
    const named = namedScalars[scalar]
    if (!named) return scalars[scalar] ?? {}
    this.schemas[named.name] ??= named.schema
    return ref(named.name)
  }
}

function extensionsOf(field: FieldShape): OpenApiSchema {
  const strategies = [
    field.patchRetainKeys && 'retainKeys',
    field.patchMerge && 'merge',
    field.patchReplace && 'replace',
  ]
  const strategy = strategies.filter((name) => name !== false).join(',')
  const isList = field.type.kind === 'list'
  return {
    ...(isList && field.listType !== 'atomic' ? { 'x-kubernetes-list-type': field.listType } : {}),
    ...(isList && field.atomic ? { 'x-kubernetes-list-type': 'atomic' } : {}),
    ...(!isList && field.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...(field.listMapKeys.length > 0 ? { 'x-kubernetes-list-map-keys': field.listMapKeys } : {}),
    ...(field.patchMergeKey ? { 'x-kubernetes-patch-merge-key': field.patchMergeKey } : {}),
    ...(strategy ? { 'x-kubernetes-patch-strategy': strategy } : {}),
  }
}

const scalars: Partial<Record<Scalar, OpenApiSchema>> = {
  string: { type: 'string' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  bool: { type: 'boolean' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  object: { type: 'object' },
}

const namedScalars: Partial<Record<Scalar, { name: string; schema: OpenApiSchema }>> = {
  quantity: {
    name: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
    schema: {
      description: 'An amount with an optional suffix: 250m, 1.5, 64Mi, 2G.',
      oneOf: [{ type: 'string' }, { type: 'number' }],
    },
  },
  intOrString: {
    name: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    schema: {
      description: 'A number, or text: the name of a port, a percentage.',
      format: 'int-or-string',
      oneOf: [{ type: 'integer' }, { type: 'string' }],
    },
  },
  time: {
    name: `${meta}.Time`,
    schema: { description: 'A moment, as in 2025-01-01T00:00:00Z.', type: 'string', format: 'date-time' },
  },
  microTime: {
    name: `${meta}.MicroTime`,
    schema: { description: 'A moment to the microsecond.', type: 'string', format: 'date-time' },
  },
}

/** "core.v1.Pod" → "io.k8s.api.core.v1.Pod"; the type of a custom resource is published under its own name. */
function publishedName(typeName: string): string {
  const [group = '', version, kind, ...rest] = typeName.split('.')
  if (rest.length > 0) return typeName
  const prefix = prefixes[group] ?? `io.k8s.api.${group}`
  return `${prefix}.${version}.${kind}`
}

const prefixes: Record<string, string> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
}

function ref(name: string): OpenApiSchema {
  return { $ref: `#/components/schemas/${name}` }
}
