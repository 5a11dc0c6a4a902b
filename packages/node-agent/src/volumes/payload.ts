/**
 * What files a configMap, secret, downwardAPI or projected volume holds: names, bytes and modes. Pure. The files are
 * put on disk by atomic-writer.ts. Follows upstream's pkg/volume/{configmap,secret,downwardapi,projected} MakePayload.
 */

import type { ConfigMap, Container, Pod, Secret, Volume } from '@dinghy/shared/api/types'
import { fieldValue, resourceValue, type PlaceFacts } from '../containers/downward.ts'

export interface PayloadFile {
  data: Buffer
  mode: number
  /** The user that owns it; undefined: the node agent's. */
  owner?: number
}

/** By path inside the volume, "a" or "dir/a". */
export type Payload = Map<string, PayloadFile>

/** The text after `MountVolume.SetUp failed for volume "x" : `. */
export class PayloadError extends Error {}

export interface PayloadSources extends PlaceFacts {
  configMap(name: string): ConfigMap | undefined
  secret(name: string): Secret | undefined
  /** A service account token for this audience; it has been requested before. */
  token(audience: string | undefined, expirationSeconds: number): string
}

type Projection = NonNullable<NonNullable<Volume['projected']>['sources']>[number]
type KeyToPath = NonNullable<NonNullable<Volume['configMap']>['items']>[number]
type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number]

const defaultFileMode = 0o644

/** undefined for volumes that are not made of files of ours. */
export function volumePayload(pod: Pod, volume: Volume, sources: PayloadSources): Payload | undefined {
  const { configMap, secret, downwardAPI, projected } = volume
  if (configMap) return fromConfigMap(configMap, configMap.defaultMode ?? defaultFileMode, sources)
  if (secret) {
    const { secretName, defaultMode = defaultFileMode, ...rest } = secret
    return fromSecret({ ...rest, name: secretName ?? '' }, defaultMode, sources)
  }
  if (downwardAPI) {
    return fromDownwardApi(pod, downwardAPI.items ?? [], downwardAPI.defaultMode ?? defaultFileMode, sources)
  }
  if (!projected) return undefined
  const payload: Payload = new Map()
  for (const source of projected.sources ?? []) {
    const part = fromProjection(pod, source, projected.defaultMode ?? defaultFileMode, sources)
    for (const [path, file] of part) payload.set(path, file)
  }
  return payload
}

function fromProjection(pod: Pod, source: Projection, mode: number, sources: PayloadSources): Payload {
  if (source.configMap) return fromConfigMap(source.configMap, mode, sources)
  if (source.secret) return fromSecret({ ...source.secret, name: source.secret.name ?? '' }, mode, sources)
  if (source.downwardAPI) return fromDownwardApi(pod, source.downwardAPI.items ?? [], mode, sources)
  if (source.serviceAccountToken) {
    const { path, audience, expirationSeconds = 3600 } = source.serviceAccountToken
    return new Map([[path, tokenFile(pod, sources.token(audience, expirationSeconds), mode)]])
  }
  throw new PayloadError(`unsupported projected volume source: ${Object.keys(source).join(', ')}`)
}

/**
 * A token is for its pod alone: 0600 and owned by the user that all containers run as, if they do; with an fsGroup,
 * which has yet to be applied to the volume, that makes 0640.
 */
function tokenFile(pod: Pod, token: string, mode: number): PayloadFile {
  const owner = commonUser(pod)
  const isPrivate = owner !== undefined || pod.spec.securityContext?.fsGroup !== undefined
  return { data: Buffer.from(token), mode: isPrivate ? 0o600 : mode, ...(owner === undefined ? {} : { owner }) }
}

/** Follows upstream's volume/util.FsUserFrom. */
function commonUser({ spec }: Pod): number | undefined {
  const containers = [...(spec.initContainers ?? []), ...spec.containers]
  const users = new Set(
    containers.map(({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser),
  )
  return users.size === 1 ? [...users][0] : undefined
}

interface ObjectSource {
  name?: string
  items?: KeyToPath[]
  optional?: boolean
}

function fromConfigMap({ name = '', items, optional }: ObjectSource, mode: number, sources: PayloadSources): Payload {
  const map = sources.configMap(name)
  if (!map && !optional) throw new PayloadError(`configmap "${name}" not found`)
  const text = Object.entries(map?.data ?? {}).map(([key, value]): [string, Buffer] => [key, Buffer.from(value)])
  const binary = Object.entries(map?.binaryData ?? {}).map(decoded)
  return fromKeys(new Map([...text, ...binary]), { items, optional, mode, what: 'config' })
}

function fromSecret({ name = '', items, optional }: ObjectSource, mode: number, sources: PayloadSources): Payload {
  const secret = sources.secret(name)
  if (!secret && !optional) throw new PayloadError(`secret "${name}" not found`)
  return fromKeys(new Map(Object.entries(secret?.data ?? {}).map(decoded)), { items, optional, mode, what: 'secret' })
}

function fromKeys(
  values: Map<string, Buffer>,
  {
    items,
    optional,
    mode,
    what,
  }: { items?: KeyToPath[] | undefined; optional?: boolean | undefined; mode: number; what: string },
): Payload {
  if (!items || items.length === 0) return new Map([...values].map(([key, data]) => [key, { data, mode }]))
  const payload: Payload = new Map()
  for (const { key, path, mode: own } of items) {
    const data = values.get(key)
    if (data) payload.set(path, { data, mode: own ?? mode })
    else if (!optional) throw new PayloadError(`references non-existent ${what} key: ${key}`)
  }
  return payload
}

function fromDownwardApi(pod: Pod, items: readonly DownwardItem[], mode: number, place: PlaceFacts): Payload {
  const payload: Payload = new Map()
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items) {
    const text = fieldRef
      ? fieldValue(pod, fieldRef.fieldPath, place)
      : resourceFieldRef
        ? resourceValue(pod, namedContainer(pod, resourceFieldRef.containerName), resourceFieldRef, place)
        : ''
    payload.set(path, { data: Buffer.from(text), mode: own ?? mode })
  }
  return payload
}

function namedContainer(pod: Pod, name: string | undefined): Container {
  const container = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((one) => one.name === name)
  if (!container) throw new PayloadError(`container ${name} not found`)
  return container
}

function decoded([key, value]: [string, string]): [string, Buffer] {
  return [key, Buffer.from(value, 'base64')]
}
