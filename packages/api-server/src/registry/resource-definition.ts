/**
 * What the API server knows about one resource: its names, its shape, its rules, how it is printed.
 *
 * Everything else in this process – routing, storage, patching, tables, discovery, OpenAPI – is written against this
 * interface and never against a kind. Built-in kinds (definitions.ts, kinds/*) and custom resources produce the same
 * thing, so nothing may ask which of the two it holds.
 *
 * Upstream spreads this over rest.Storage, RESTCreateStrategy/RESTUpdateStrategy, SelectableFields and the printers; a
 * reader who knows `registry/<group>/<kind>/strategy.go` will find the same words here.
 */

import type { FieldError } from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { SubresourceShape } from '@dinghy/shared/schema/schema'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import type { Conformed } from '../shape/conform.ts'
import type { Entry } from '../storage/storage.ts'

export interface ResourceDefinition {
  group: string // "" is the core group
  version: string
  kind: string
  listKind: string
  plural: string
  singular: string
  namespaced: boolean
  shortNames: string[]
  categories: string[]
  verbs: string[] // in discovery's order: create, delete, deletecollection, get, list, patch, update, watch

  /**
   * The schema type of the object ("core.v1.Pod") and where its shape, and that of every type it mentions, is found.
   */
  type: string
  types: TypeSource
  /** How what is sent gets the form of the type, where the shape of the type alone does not tell (shape/conform.ts). */
  conform?(value: unknown): Conformed
  /** The media types of the patches that it understands. */
  patchTypes: readonly string[]

  storage: StorageLocation
  strategy: Strategy
  columns: Column[]
  subresources: Subresources

  /** Told to everybody who asks for this resource, as a Warning header. */
  deprecation?: string
  /** Created, answered and forgotten: reviews, bindings, tokens. There is nothing to get, list or watch. */
  createOnly?: boolean
  /** Field selectors besides metadata.name and metadata.namespace. An absent field reads as "". */
  selectableFields: Record<string, (object: KubernetesObject) => string>
}

export interface StorageLocation {
  group: string
  plural: string
  /**
   * The API version that objects are worked on and, unless `encode` says otherwise, stored in. Built-in resources that
   * share a location (HPA v1 and v2, the two Events) share it.
   */
  version: string
  /** Set where resources share a location: turns a stored object, or one of its other versions, into `apiVersion`. */
  convert?: (object: KubernetesObject, apiVersion: string) => KubernetesObject
  /** Set where what is stored is not what is shown: it may be in another version, or older than the schema. */
  view?: StoredView
  /** Set with it: the object, final and valid in `version`, in the form in which it is stored. */
  encode?: (object: KubernetesObject) => KubernetesObject | Promise<KubernetesObject>
}

/** Stored objects as one definition shows them. What it shows is shared: do not change it. */
export interface StoredView {
  /**
   * What takes time, a webhook that converts, is done here and remembered. Call it before `objectOf` for entries that
   * have just been read.
   */
  prepare?(entries: readonly Entry[]): Promise<void>
  objectOf(entry: Entry): KubernetesObject
}

export interface Subresources {
  status: boolean
  scale?: ScalePaths
  /** Every other one: binding, log, exec, eviction, ephemeralcontainers, token, approval, finalize, resize, … */
  others: string[]
  /** All of them as discovery and OpenAPI describe them: the kind each one speaks, and its verbs. */
  shapes: SubresourceShape[]
}

/** Where a kind keeps the three numbers of autoscaling/v1 Scale. */
export interface ScalePaths {
  specReplicas: string[]
  statusReplicas: string[]
  /** A map of labels, a LabelSelector or an already printed selector; absent where the kind has none. */
  selector?: string[]
}

export type Cell = string | number | boolean | null

/** One column of a Table. Priority 0 is always shown, 1 only with `-o wide`. */
export interface Column {
  name: string
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  format: string
  description: string
  priority: number
  /** Only ever given objects of the definition's own kind. */
  cell(object: KubernetesObject, now: number): Cell
}

/**
 * The rules of a kind, all pure. The store calls them in the order of the request:
 * Create: defaults → prepareForCreate → validate, validateCreate.
 * Update: defaults → prepareForUpdate → validate, validateUpdate.
 *
 * What is the same for every kind is not here but in the store: uid, creationTimestamp and resourceVersion, dropping
 * the status of a create and keeping the old one on update (where `subresources.status`), generation, ObjectMeta's
 * rules (kinds/object-meta.ts).
 */
export interface Strategy<T extends KubernetesObject = KubernetesObject> {
  /**
   * Fills what the author left out, in place. Applied to everything that is read from a client, as upstream's
   * SetDefaults_*.
   */
  defaults?(object: T): void
  prepareForCreate?(object: T): void
  prepareForUpdate?(next: T, previous: T): void
  prepareForStatusUpdate?(next: T, previous: T, now: string): void
  /** The whole object after an update of /status: unless told, the old one with the new status, labels, annotations. */
  selectStatus?(next: T, previous: T): T
  validate?(object: T): FieldError[]
  /** What only a new object must not have; the store calls `validate(object)` as well. */
  validateCreate?(object: T): FieldError[]
  /** Only what compares the two; the store calls `validate(next)` as well. */
  validateUpdate?(next: T, previous: T): FieldError[]
  validateStatusUpdate?(next: T, previous: T): FieldError[]
  warnings?(object: T, previous?: T): string[]

  /** How metadata.name must look; RFC 1123 subdomain unless told. Returns upstream's messages. */
  validateName?(name: string, prefix: boolean): string[]
  /** The part whose change bumps metadata.generation (which starts at 1). Kinds without it have no generation. */
  generationOf?(object: T): unknown
  /** The grace period of a delete: 0 removes the object at once. Kinds without it are always removed at once. */
  gracefulDelete?(object: T, requestedSeconds: number | undefined): number

  /** What the first delete of an object notes down in it, besides the time: who must clean up before it goes. */
  prepareForDelete?(object: T, now: string): void
  /** Fetches what the rules need and the server's start can do without; the store waits for it before it asks them. */
  load?(object: T): Promise<void>

  /** PUT to a name that does not exist creates it. */
  allowCreateOnUpdate?: boolean
  /** An update must carry metadata.resourceVersion. */
  requiresResourceVersion?: boolean
  /** Rules of an update that comes through another subresource: ephemeralcontainers, resize, finalize, approval. */
  subresources?: Record<string, Pick<Strategy<T>, 'prepareForUpdate' | 'validateUpdate'>>
}
