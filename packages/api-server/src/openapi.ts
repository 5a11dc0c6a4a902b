/**
 * The API described by itself: what kubectl reads before every `apply -f`, and what `kubectl explain` shows.
 *
 * There is one document for each group and version, and an index with a hash for each. The hash is made of the content,
 * so clients may keep a document forever (Cache-Control: immutable) and still see every change. Documents are built
 * when they are first asked for and kept as bytes.
 */

import { createHash } from 'node:crypto'
import { pathsOf } from './openapi/paths.ts'
import { SchemaCollection } from './openapi/schemas.ts'
import { openApiV2, type OpenApiV3 } from './openapi/v2.ts'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import type { ResourceDefinition } from './registry/resource-definition.ts'

export interface OpenApiDocument {
  bytes: Buffer
  /** Upper-case hex; belongs into ?hash= and the ETag. */
  hash: string
}

export class OpenApiDocuments {
  readonly #members: Map<string, ResourceDefinition[]>
  readonly #built = new Map<string, OpenApiDocument>()
  readonly #serverVersion: string

  /** For these definitions; make a new one when they change. */
  constructor(definitions: readonly ResourceDefinition[], serverVersion: string) {
    this.#members = new Map()
    for (const definition of definitions) {
      const path = pathOf(definition)
      this.#members.set(path, [...(this.#members.get(path) ?? []), definition])
    }
    this.#serverVersion = serverVersion
  }

  /** GET /openapi/v3 */
  index(): object {
    const paths = [...this.#members.keys()].map((path) => {
      const hash = this.document(path)?.hash ?? ''
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]
    })
    return { paths: Object.fromEntries(paths) as object }
  }

  /** GET /openapi/v2 */
  version2(): object {
    const documents = [...this.#members.keys()].flatMap((path) => this.document(path) ?? [])
    const parsed = documents.map(({ bytes }) => JSON.parse(String(bytes)) as OpenApiV3)
    return openApiV2(parsed, this.#serverVersion)
  }

  /** GET /openapi/v3/<path>, with a path as the index has it: "api/v1", "apis/apps/v1". */
  document(path: string): OpenApiDocument | undefined {
    const known = this.#built.get(path)
    const definitions = this.#members.get(path)
    if (known || !definitions) return known
    const bytes = Buffer.from(JSON.stringify(describe(definitions, this.#serverVersion)))
    const document = { bytes, hash: createHash('sha256').update(bytes).digest('hex').toUpperCase() }
    this.#built.set(path, document)
    return document
  }
}

function pathOf({ group, version }: ResourceDefinition): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}

function describe(definitions: ResourceDefinition[], version: string): object {
  const paths: Record<string, unknown> = {}
  const collections = new Map<TypeSource, SchemaCollection>()
  for (const definition of definitions) {
    const { types } = definition
    const collection = collections.get(types) ?? new SchemaCollection(types)
    collections.set(types, collection)
    Object.assign(paths, pathsOf(definition, collection))
  }
  const schemas = Object.assign({}, ...[...collections.values()].map(({ schemas }) => schemas)) as object
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version }, paths, components: { schemas } }
}
