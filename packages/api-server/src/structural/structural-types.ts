/**
 * The schema of a custom resource as a TypeSource: what server-side apply, OpenAPI and the decoder need to know of a
 * type, whoever wrote it. The root has the name that OpenAPI publishes it under ("com.example.v1.Widget"); an object
 * inside is named by its way down ("com.example.v1.Widget.spec.items"). Every other type – ObjectMeta, Scale – is
 * Kubernetes' own.
 */

import type { FieldShape, Scalar, TypeRef, TypeShape, TypeSource } from '@dinghy/shared/schema/type-shape'
import { publishResource } from './publish.ts'
import { itemsOf, type ResourceIdentity, type ResourceSchema } from './resource-schema.ts'

/** { group: "example.com", version: "v1", kind: "Widget" } → "com.example.v1.Widget" */
export function typeNameOf({ group, version, kind }: ResourceIdentity): string {
  return [...group.split('.').reverse(), version, kind].join('.')
}

export class StructuralTypes implements TypeSource {
  readonly #identity: ResourceIdentity
  readonly #kubernetes: TypeSource
  readonly #schemas = new Map<string, ResourceSchema>()
  readonly #shapes = new Map<string, TypeShape>()
  readonly #root: string

  constructor(identity: ResourceIdentity, schema: ResourceSchema, kubernetes: TypeSource) {
    this.#identity = identity
    this.#kubernetes = kubernetes
    this.#root = typeNameOf(identity)
    this.#schemas.set(this.#root, schema)
  }

  type(name: string): TypeShape | undefined {
    const known = this.#shapes.get(name)
    if (known) return known
    const schema = this.#schemas.get(name)
    if (!schema) return this.#kubernetes.type(name)
    const shape = this.#shapeOf(schema, name)
    this.#shapes.set(name, shape)
    return shape
  }

  typeOfKind(apiVersion: string, kind: string): TypeShape | undefined {
    const { group, version, kind: own } = this.#identity
    if (apiVersion === `${group}/${version}` && kind === own) return this.type(this.#root)
    return this.#kubernetes.typeOfKind(apiVersion, kind)
  }

  #shapeOf(schema: ResourceSchema, name: string): TypeShape {
    const isRoot = name === this.#root
    const required = new Set(schema.required)
    const fields = new Map<string, FieldShape>()
    for (const [field, property] of Object.entries(schema.properties ?? {})) {
      const type = this.#typeOf(property, `${name}.${field}`)
      fields.set(field, { ...plainField(field, type, required.has(field)), ...mergingOf(property) })
    }
    if (isRoot || schema['x-kubernetes-embedded-resource']) {
      for (const field of ['apiVersion', 'kind']) fields.set(field, plainField(field, text, required.has(field)))
      const metadata = plainField('metadata', { kind: 'object', type: 'meta.v1.ObjectMeta' }, false)
      fields.set('metadata', { ...metadata, isPointer: false })
    }
    return {
      name,
      fields,
      atomic: schema['x-kubernetes-map-type'] === 'atomic',
      ...(schema['x-kubernetes-preserve-unknown-fields'] ? { preservesUnknownFields: true } : {}),
      ...(isRoot
        ? {
            gvk: this.#identity,
            publish: (refTo: (type: string) => object) => publishResource(schema, this.#identity, refTo),
          }
        : {}),
    }
  }

  #typeOf(schema: ResourceSchema, name: string): TypeRef {
    if (schema['x-kubernetes-int-or-string']) return { kind: 'scalar', scalar: 'intOrString' }
    const items = itemsOf(schema)
    if (schema.type === 'array') {
      return { kind: 'list', of: items ? this.#typeOf(items, `${name}[]`) : { kind: 'scalar', scalar: 'any' } }
    }
    if (schema.type === 'object' || schema['x-kubernetes-preserve-unknown-fields']) {
      const others = schema.additionalProperties
      if (typeof others === 'object') return { kind: 'map', of: this.#typeOf(others, `${name}{}`) }
      this.#schemas.set(name, schema)
      return { kind: 'object', type: name }
    }
    return { kind: 'scalar', scalar: scalars[schema.type ?? ''] ?? 'any' }
  }
}

const scalars: Record<string, Scalar> = { string: 'string', integer: 'int64', number: 'double', boolean: 'bool' }
const text: TypeRef = { kind: 'scalar', scalar: 'string' }

/** Nothing of a custom resource is left out for being zero, and nothing is there that nobody wrote. */
function plainField(name: string, type: TypeRef, required: boolean): FieldShape {
  return {
    name,
    type,
    required,
    keepsZero: true,
    isPointer: true,
    alwaysWritten: false,
    listType: 'atomic',
    listMapKeys: [],
    atomic: false,
    patchMerge: false,
    patchReplace: false,
    patchRetainKeys: false,
    protobufPath: [],
  }
}

function mergingOf(schema: ResourceSchema): Partial<FieldShape> {
  if (schema.type === 'array') {
    const listType = schema['x-kubernetes-list-type']
    if (listType === 'set') return { listType }
    if (listType !== 'map') return {}
    const listMapKeys = schema['x-kubernetes-list-map-keys'] ?? []
    const properties = itemsOf(schema)?.properties ?? {}
    const defaults = listMapKeys.flatMap((key) => {
      const value: unknown = properties[key]?.default
      return value === undefined ? [] : [[key, value] as const]
    })
    return { listType, listMapKeys, listMapKeyDefaults: Object.fromEntries(defaults) }
  }
  return schema['x-kubernetes-map-type'] === 'atomic' ? { atomic: true } : {}
}
