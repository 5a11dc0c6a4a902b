/**
 * Reading image documents that strangers wrote: archives and registries may send anything. What comes back has the
 * shape that its type says, as far as the rest of the house relies on it; a document without it is a bad request.
 * Pure.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import { isDigest } from './content-store.ts'
import type { Descriptor, Manifest, ManifestIndex, OciImageConfig } from './oci.ts'

/** One entry of `manifest.json`, Docker's own list of an archive's images. */
export interface DockerManifest {
  Config: string
  RepoTags: string[] | null
  Layers: string[]
}

type Tree = Record<string, unknown>

export function parseImageConfig(bytes: Buffer): OciImageConfig {
  const document = treeOf(parseJson(bytes, 'image config'), 'image config')
  const { diff_ids: diffIds } = treeOf(document['rootfs'], 'image config: rootfs')
  if (!isListOf(diffIds, (item) => typeof item === 'string' && isDigest(item)))
    throw invalid('image config: rootfs.diff_ids is no list of digests')
  const history = document['history'] ?? undefined
  if (history !== undefined && !isListOf(history, isTree)) throw invalid('image config: history is no list of objects')
  // Go's encoders write null for what is empty.
  return { ...document, config: treeOf(document['config'] ?? {}, 'image config: config') } as unknown as OciImageConfig
}

/** A manifest of one platform, or a list of them. */
export function parseManifest(bytes: Buffer): Manifest | ManifestIndex {
  const document = treeOf(parseJson(bytes, 'manifest'), 'manifest')
  const { manifests, config, layers } = document
  if (manifests !== undefined) {
    if (!isListOf(manifests, isDescriptor)) throw invalid('manifest: manifests is no list of descriptors')
  } else if (!isDescriptor(config) || !isListOf(layers, isDescriptor)) {
    throw invalid(`manifest: unsupported media type ${JSON.stringify(document['mediaType'] ?? 'unknown')}`)
  }
  return document as unknown as Manifest | ManifestIndex
}

/** `manifest.json` of an archive. */
export function parseDockerManifests(bytes: Buffer): DockerManifest[] {
  const list = parseJson(bytes, 'manifest.json')
  const isText = (value: unknown): boolean => typeof value === 'string'
  const isEntry = (item: unknown): boolean =>
    isTree(item) &&
    isText(item['Config']) &&
    isListOf(item['Layers'] ?? [], isText) &&
    isListOf(item['RepoTags'] ?? [], isText)
  if (!isListOf(list, isEntry)) throw invalid('manifest.json is no list of images')
  return (list as (DockerManifest & { Layers: string[] | null })[]).map((entry) => ({
    ...entry,
    Layers: entry.Layers ?? [],
  }))
}

function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`${what}: ${error.message}`)
    throw error
  }
}

function isDescriptor(value: unknown): value is Descriptor {
  return isTree(value) && typeof value['digest'] === 'string' && isDigest(value['digest'])
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(isItem)
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function treeOf(value: unknown, what: string): Tree {
  if (!isTree(value)) throw invalid(`${what} is no object`)
  return value
}

function invalid(problem: string) {
  return badParameter(`invalid image: ${problem}`)
}
