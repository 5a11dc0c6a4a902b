/**
 * The API in OpenAPI 2, as older clients and code generators read it: the documents of version 3 put together into one.
 *
 * What version 2 cannot say is said as upstream says it there: an IntOrString is a string of the format int-or-string,
 * a Quantity a string; a $ref may have a description beside it; null, anyOf, allOf and not are left out (that is
 * apiextensions-apiserver's pkg/controller/openapi/v2).
 */

import type { OpenApiSchema } from './schemas.ts'

/** A document as openapi.ts makes it. */
export interface OpenApiV3 {
  paths: Record<string, Record<string, unknown>>
  components: { schemas: Record<string, OpenApiSchema> }
}

interface Operation {
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content: Record<string, { schema: OpenApiSchema }> }
  responses: Record<string, { description: string; content: Record<string, { schema: OpenApiSchema }> }>
}

interface Parameter {
  name: string
  schema: OpenApiSchema
}

const produces = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

export function openApiV2(documents: readonly OpenApiV3[], version: string): object {
  const paths = documents.flatMap((document) => Object.entries(document.paths))
  const schemas = documents.flatMap((document) => Object.entries(document.components.schemas))
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version },
    paths: Object.fromEntries(paths.map(([path, item]) => [path, pathItem(item)])),
    definitions: Object.fromEntries(schemas.map(([name, schema]) => [name, asVersion2(schema)])),
  }
}

function pathItem({ parameters, ...operations }: Record<string, unknown>): object {
  const converted = Object.entries(operations).map(([method, made]) => [method, operation(made as Operation)])
  return { parameters: (parameters as Parameter[]).map(parameter), ...(Object.fromEntries(converted) as object) }
}

function operation({ parameters = [], requestBody, responses, ...rest }: Operation): object {
  const [body] = Object.values(requestBody?.content ?? {})
  const bodyParameter = body && {
    name: 'body',
    in: 'body',
    ...(requestBody?.required ? { required: true } : {}),
    schema: asVersion2(body.schema),
  }
  return {
    ...rest,
    consumes: Object.keys(requestBody?.content ?? { '*/*': {} }),
    produces,
    parameters: [...parameters.map(parameter), ...(bodyParameter ? [bodyParameter] : [])],
    responses: Object.fromEntries(
      Object.entries(responses).map(([code, { description, content }]) => {
        const [answer] = Object.values(content)
        return [code, { description, ...(answer ? { schema: asVersion2(answer.schema) } : {}) }]
      }),
    ),
  }
}

/** Version 2 has the type of a parameter beside its name. */
function parameter({ schema, ...rest }: Parameter): object {
  return { ...rest, ...schema }
}

/** What is said differently, or not at all. */
const translated = new Set(
  '$ref allOf oneOf anyOf not nullable type required properties items additionalProperties'.split(' '),
)

function asVersion2(schema: OpenApiSchema): OpenApiSchema {
  const { allOf, oneOf, nullable, $ref, type, properties, items, additionalProperties } = schema
  const rest = Object.fromEntries(Object.entries(schema).filter(([keyword]) => !translated.has(keyword)))
  const only = Array.isArray(allOf) && allOf.length === 1 ? (allOf[0] as OpenApiSchema) : undefined
  const target = only?.['$ref'] ?? $ref
  const isOpen = rest['x-kubernetes-preserve-unknown-fields'] === true
  const isEither = Array.isArray(oneOf) && oneOf.every((one) => isSchema(one) && 'type' in one)
  // kubectl cannot cope with members of what may be null, or may have others.
  const hasMembers = !nullable && !isOpen
  const shownItems = hasMembers && isSchema(items) ? items : undefined
  const isTyped = !nullable && !(isOpen && type === 'object') && !(type === 'array' && !shownItems)
  const mustHave = requiredOf(schema)
  return {
    ...rest,
    ...(typeof target === 'string' ? { $ref: target.replace('#/components/schemas/', '#/definitions/') } : {}),
    ...(isEither ? { type: 'string' } : type !== undefined && isTyped ? { type } : {}),
    ...(mustHave.length > 0 ? { required: mustHave } : {}),
    ...(hasMembers && isSchema(properties) ? { properties: mapValues(properties, asVersion2) } : {}),
    ...(shownItems ? { items: asVersion2(shownItems) } : {}),
    ...(isSchema(additionalProperties) ? { additionalProperties: asVersion2(additionalProperties) } : {}),
  }
}

/** Whoever reads version 2 takes what is null for missing. */
function requiredOf({ required, properties, additionalProperties }: OpenApiSchema): string[] {
  if (isSchema(additionalProperties) && additionalProperties['nullable']) return []
  const isNullable = (name: string) => {
    const property = isSchema(properties) ? properties[name] : undefined
    return isSchema(property) && property['nullable'] === true
  }
  return ((required ?? []) as string[]).filter((name) => !isNullable(name))
}

function isSchema(value: unknown): value is OpenApiSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapValues(schemas: OpenApiSchema, convert: (schema: OpenApiSchema) => OpenApiSchema): OpenApiSchema {
  return Object.fromEntries(Object.entries(schemas).map(([name, one]) => [name, isSchema(one) ? convert(one) : one]))
}
