/**
 * The shapes of every stable Kubernetes 1.33 type and resource, read from kubernetes-1.33.json.
 *
 * The file holds one type a line; a field is a short text:
 *
 *   "<protobuf number>[p] <type>[!] [atomic|granular|set|map=<keys>] [merge|merge=<key>] [replace] [retainKeys]
 *    [always]"
 *
 *   2.4p      field 4 of the message in field 2, which JSON inlines; p: a pointer in Go, so its zero is meaningful;
 *             "-" where the type has no protobuf form
 *   [T] {T}   list of T, map of string to T        !    required
 *   map=a,b   x-kubernetes-list-type: map, with these keys
 *   merge=a   strategic merge patch merges this list by key a; plain "merge" merges a set of scalars
 *   always    Go writes it even when it is empty although it is not required; so it does with every required field and
 *             with every object that is no pointer
 *
 * `gvk` marks kinds, `atomic` types that server-side apply treats as one value. A resource lists what is not usual:
 * verbs only if not all eight, `subresources` as "<verbs> [<apiVersion> <kind>]" with the kind only where it is another
 * one.
 *
 * scripts/schema.mjs makes the file from a Kubernetes release. Only the API server and the CLI load it (a few
 * milliseconds); types are parsed on first use.
 */

import { readFileSync } from 'node:fs'
import type { FieldShape, Scalar, TypeRef, TypeShape, TypeSource } from './type-shape.ts'

export type { FieldShape, Scalar, TypeRef, TypeShape, TypeSource } from './type-shape.ts'

export interface ResourceShape {
  group: string
  version: string
  kind: string
  plural: string
  singular: string
  namespaced: boolean
  shortNames: string[]
  categories: string[]
  verbs: string[]
  subresources: SubresourceShape[]
  type: string
}

export interface SubresourceShape {
  name: string
  group: string
  version: string
  kind: string
  verbs: string[]
}

/**
 * A field as the protobuf decoder needs it. `path` has more than one number where the field lives in an inlined
 * message.
 */
export interface ProtobufField {
  path: number[]
  field: FieldShape
}

interface SchemaFile {
  types: Record<string, TypeEntry>
  resources: ResourceEntry[]
}

interface TypeEntry {
  gvk?: string
  atomic?: number
  union?: { by: string; fields: Record<string, string> }
  fields: Record<string, string>
}

interface ResourceEntry {
  apiVersion: string
  plural: string
  kind: string
  type: string
  namespaced?: boolean
  shortNames?: string[]
  categories?: string[]
  verbs?: string[]
  subresources?: Record<string, string>
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

export class Schema implements TypeSource {
  readonly #file: SchemaFile
  #kinds: Map<string, string> | undefined
  readonly #parsed = new Map<string, TypeShape>()

  constructor(file: SchemaFile) {
    this.#file = file
  }

  type(name: string): TypeShape | undefined {
    const known = this.#parsed.get(name)
    if (known) return known
    const entry = Object.hasOwn(this.#file.types, name) ? this.#file.types[name] : undefined
    if (!entry) return undefined
    const shape = parseType(name, entry)
    this.#parsed.set(name, shape)
    return shape
  }

  typeOfKind(apiVersion: string, kind: string): TypeShape | undefined {
    this.#kinds ??= new Map(
      Object.entries(this.#file.types).flatMap(([name, { gvk }]) => (gvk === undefined ? [] : [[gvk, name] as const])),
    )
    const name = this.#kinds.get(`${apiVersion} ${kind}`)
    return name === undefined ? undefined : this.type(name)
  }

  field(typeName: string, field: string): FieldShape | undefined {
    return this.type(typeName)?.fields.get(field)
  }

  typeNames(): string[] {
    return Object.keys(this.#file.types)
  }

  resources(): ResourceShape[] {
    return this.#file.resources.map(parseResource)
  }

  protobuf(typeName: string): ProtobufField[] {
    const fields = this.type(typeName)?.fields.values() ?? []
    return [...fields].filter((f) => f.protobufPath.length > 0).map((field) => ({ path: field.protobufPath, field }))
  }
}

let loaded: Schema | undefined

export function loadSchema(): Schema {
  // Parsed here: the compiler would type-check what is far too big for it.
  loaded ??= new Schema(
    JSON.parse(readFileSync(new URL('kubernetes-1.33.json', import.meta.url), 'utf8')) as SchemaFile,
  )
  return loaded
}

function parseType(name: string, entry: TypeEntry): TypeShape {
  const shape: TypeShape = { name, fields: new Map(), atomic: entry.atomic === 1 }
  if (entry.gvk) {
    const [apiVersion = '', kind = ''] = entry.gvk.split(' ')
    shape.gvk = { ...splitApiVersion(apiVersion), kind }
    for (const field of ['apiVersion', 'kind']) shape.fields.set(field, parseField(field, '- string'))
  }
  if (entry.union) shape.union = { discriminator: entry.union.by, fields: entry.union.fields }
  for (const [field, text] of Object.entries(entry.fields)) shape.fields.set(field, parseField(field, text))
  return shape
}

function parseField(name: string, text: string): FieldShape {
  const [number = '-', type = '', ...options] = text.split(' ')
  const required = type.endsWith('!')
  const field: FieldShape = {
    name,
    type: parseTypeRef(required ? type.slice(0, -1) : type),
    required,
    keepsZero: required || number.endsWith('p') || number === '-',
    isPointer: number.endsWith('p') || number === '-',
    alwaysWritten: false,
    listType: 'atomic',
    listMapKeys: [],
    atomic: false,
    patchMerge: false,
    patchReplace: false,
    patchRetainKeys: false,
    protobufPath: number === '-' ? [] : number.replace('p', '').split('.').map(Number),
  }
  for (const option of options) {
    const [word, value] = option.split('=')
    if (word === 'atomic') field.atomic = true
    else if (word === 'set') field.listType = 'set'
    else if (word === 'map') {
      field.listType = 'map'
      field.listMapKeys = (value ?? '').split(',')
    } else if (word === 'merge') {
      field.patchMerge = true
      if (value) field.patchMergeKey = value
    } else if (word === 'replace') field.patchReplace = true
    else if (word === 'retainKeys') field.patchRetainKeys = true
    else if (word === 'always') field.alwaysWritten = true
  }
  if (!number.endsWith('p') && (required || (number !== '-' && isGoStruct(field.type)))) field.alwaysWritten = true
  return field
}

const scalars = new Set(
  'string int32 int64 bool double bytes quantity intOrString time microTime object any'.split(' '),
)

/** Go's `omitempty` never leaves out a struct, and quantities are structs, too. */
function isGoStruct(type: TypeRef): boolean {
  if (type.kind === 'scalar') return type.scalar === 'quantity' || type.scalar === 'intOrString'
  return type.kind === 'object'
}

function parseTypeRef(text: string): TypeRef {
  if (text.startsWith('[')) return { kind: 'list', of: parseTypeRef(text.slice(1, -1)) }
  if (text.startsWith('{')) return { kind: 'map', of: parseTypeRef(text.slice(1, -1)) }
  return scalars.has(text) ? { kind: 'scalar', scalar: text as Scalar } : { kind: 'object', type: text }
}

function parseResource(entry: ResourceEntry): ResourceShape {
  const { group, version } = splitApiVersion(entry.apiVersion)
  return {
    group,
    version,
    kind: entry.kind,
    plural: entry.plural,
    singular: entry.kind.toLowerCase(),
    namespaced: entry.namespaced ?? false,
    shortNames: entry.shortNames ?? [],
    categories: entry.categories ?? [],
    verbs: entry.verbs ?? allVerbs,
    subresources: Object.entries(entry.subresources ?? {}).map(([name, text]) => {
      const [verbs = '', apiVersion = entry.apiVersion, kind = entry.kind] = text.split(' ')
      return { name, ...splitApiVersion(apiVersion), kind, verbs: verbs.split(',') }
    }),
    type: entry.type,
  }
}

function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const [first = '', second] = apiVersion.split('/')
  return second === undefined ? { group: '', version: first } : { group: first, version: second }
}
