/**
 * The schema of a custom resource as OpenAPI publishes it, which is what `kubectl explain` reads: as its author wrote
 * it, with the fields that every resource has. Follows apiextensions-apiserver's pkg/controller/openapi/builder.
 */

import { itemsOf, type ResourceIdentity, type ResourceSchema } from './resource-schema.ts'

const apiVersion = {
  type: 'string',
  description:
    'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
}
const kind = {
  type: 'string',
  description:
    'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
}

export function publishResource(
  schema: ResourceSchema,
  identity: ResourceIdentity,
  refTo: (type: string) => object,
): object {
  const published = publish(schema, refTo)
  return {
    ...published,
    properties: { ...published.properties, ...typeMeta(refTo) },
    'x-kubernetes-group-version-kind': [identity],
  }
}

function typeMeta(refTo: (type: string) => object): Record<string, ResourceSchema> {
  const description =
    "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
  return { apiVersion, kind, metadata: { allOf: [refTo('meta.v1.ObjectMeta')], description } }
}

function publish(schema: ResourceSchema, refTo: (type: string) => object): ResourceSchema {
  const items = itemsOf(schema)
  const others = schema.additionalProperties
  const isResource = schema['x-kubernetes-embedded-resource']
  const properties = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, publish(one, refTo)] as const)
  const published: ResourceSchema = {
    ...schema,
    ...(items ? { items: publish(items, refTo) } : {}),
    ...(typeof others === 'object' ? { additionalProperties: publish(others, refTo) } : {}),
    ...(properties.length > 0 || isResource
      ? { properties: { ...Object.fromEntries(properties), ...(isResource ? typeMeta(refTo) : {}) } }
      : {}),
    ...(isResource ? { required: [...new Set([...(schema.required ?? []), 'kind', 'apiVersion'])] } : {}),
  }
  // A value of either type has no `type` of its own to tell of.
  if (schema['x-kubernetes-int-or-string'] && !schema.anyOf) {
    published.anyOf = [{ type: 'integer' }, { type: 'string' }]
  }
  return published
}
