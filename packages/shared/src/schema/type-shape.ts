/**
 * The shape of one API type: what schema.ts reads from its data file, and what a CustomResourceDefinition's schema is
 * turned into, so that decoding, patching, server-side apply and OpenAPI need to know only this.
 */

export type Scalar =
  | 'string'
  | 'int32'
  | 'int64'
  | 'bool'
  | 'double'
  | 'bytes' // base64 text in JSON
  | 'quantity' // "250m", or a number
  | 'intOrString' // 80, "25%"
  | 'time' // RFC 3339, whole seconds
  | 'microTime'
  | 'object' // an object of no fixed shape: fieldsV1, an embedded resource
  | 'any'

export type TypeRef =
  | { kind: 'scalar'; scalar: Scalar }
  | { kind: 'object'; type: string }
  | { kind: 'list'; of: TypeRef }
  | { kind: 'map'; of: TypeRef }

export interface FieldShape {
  name: string
  type: TypeRef
  required: boolean
  /**
   * The zero value says something and is kept ("replicas: 0"). Where false, Go's `omitempty` never writes a zero, so
   * neither do we – otherwise an object sent as JSON and the same one sent as protobuf would be stored differently.
   */
  keepsZero: boolean
  /** A pointer in Go: an object of this type can be absent, where a plain one is merely empty. */
  isPointer: boolean
  /** Kubernetes writes it even when nobody set it: an object without members, 0, false, "". Clients rely on it. */
  alwaysWritten: boolean
  /** How server-side apply merges a list: as one value, as a set of scalars, or by its items' keys. */
  listType: 'atomic' | 'set' | 'map'
  listMapKeys: string[]
  /** What keys are that an item leaves out, where the schema says so. */
  listMapKeyDefaults?: Record<string, unknown>
  /** Server-side apply treats this map or object as one value. */
  atomic: boolean
  /** How strategic merge patch treats it. A list without `merge` is replaced; one with it and no key is a set. */
  patchMerge: boolean
  patchMergeKey?: string
  patchReplace: boolean
  patchRetainKeys: boolean
  /** The field's protobuf number, through the messages it is inlined from; empty if the type has no protobuf form. */
  protobufPath: number[]
}

export interface TypeShape {
  name: string
  fields: Map<string, FieldShape>
  /** Set for a kind: it also has apiVersion and kind. */
  gvk?: { group: string; version: string; kind: string }
  atomic: boolean
  union?: { discriminator: string; fields: Record<string, string> }
  /** Fields that are not listed are kept: x-kubernetes-preserve-unknown-fields. */
  preservesUnknownFields?: boolean
  /** The schema that OpenAPI publishes, where its author wrote one that says more than this shape. */
  publish?(refTo: (type: string) => object): object
}

/** Where shapes are looked up by name: the built-in schema, or one made from a CustomResourceDefinition. */
export interface TypeSource {
  type(name: string): TypeShape | undefined
  /** The type of a kind: ("apps/v1", "Deployment"). */
  typeOfKind(apiVersion: string, kind: string): TypeShape | undefined
}
