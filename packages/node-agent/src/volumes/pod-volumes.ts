/**
 * Makes a pod's volumes stand ready as directories of this machine, keeps their files up to date, and takes them away.
 *
 *   <root>/pods/<uid>/volumes/kubernetes.io~configmap/<name>     the same tree as a kubelet's
 *
 * Callers may rely on: mount() may be called any number of times, and only changes what has to change; it throws
 * MountError with upstream's text when a volume cannot be had (yet); teardown() leaves nothing behind.
 */

import { chmod, mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Pod, Volume } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import type { PlaceFacts } from '../containers/downward.ts'
import { isSamePayload, writePayload } from './atomic-writer.ts'
import { ClaimError, resolveClaim } from './claims.ts'
import { emptyDirPath, removeMemoryDirs } from './empty-dir.ts'
import { applyFsGroup } from './fs-group.ts'
import { HostPathError, prepareHostPath } from './host-path.ts'
import { PayloadError, volumePayload, type Payload, type PayloadSources } from './payload.ts'
import type { ReferencedObjects } from './referenced-objects.ts'
import type { ServiceAccountTokens } from './service-account-tokens.ts'

/** The message of the FailedMount event. */
export class MountError extends Error {}

export interface MountedVolumes {
  /** Volume name → directory or file of this machine. */
  paths: ReadonlyMap<string, string>
  /** When tokens in them must be replaced. */
  refreshAt: number | undefined
  /** What could only be done in part, for people to know. */
  warnings: string[]
}

export interface PodVolumesDeps {
  root: string
  client: ApiClient
  objects: ReferencedObjects
  tokens: ServiceAccountTokens
  clock: Clock
}

export class PodVolumes {
  readonly #deps: PodVolumesDeps
  /** pod uid/volume → the files on disk, so that the disk need not be read to know that nothing changed. */
  readonly #written = new Map<string, Payload>()
  /** pod uid/volume of the directories that have been made. */
  readonly #made = new Set<string>()

  constructor(deps: PodVolumesDeps) {
    this.#deps = deps
  }

  podDirectory(podUid: string): string {
    return join(this.#deps.root, 'pods', podUid)
  }

  /**
   * Also everything that the pod names elsewhere (ConfigMaps and Secrets for variables) has been looked up after
   * this.
   */
  async mount(pod: Pod, place: PlaceFacts, signal: AbortSignal): Promise<MountedVolumes> {
    const { objects, tokens } = this.#deps
    await objects.hold(pod)
    const volumes = pod.spec.volumes ?? []
    const warnings: string[] = []
    if (volumes.length === 0) return { paths: new Map(), refreshAt: undefined, warnings }
    const refreshAt = await tokens.prepare(pod, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      const reason = `failed to fetch token: ${(error as Error).message}`
      throw new MountError(`${setUpFailed(tokenVolume(volumes))} : ${reason}`, { cause: error })
    })
    const paths = await Promise.all(
      volumes.map(async (volume): Promise<[string, string]> => {
        return [volume.name, await this.#mountOne(pod, volume, place, warnings, signal)]
      }),
    )
    return { paths: new Map(paths), refreshAt, warnings }
  }

  /** The pod has finished: what it refers to need not be watched any more. */
  release(podUid: string): void {
    this.#deps.objects.release(podUid)
  }

  /** Forgets and removes everything of a pod whose containers are gone. */
  async teardown(podUid: string): Promise<void> {
    const { objects, tokens, root } = this.#deps
    objects.release(podUid)
    tokens.forget(podUid)
    for (const key of this.#written.keys()) if (key.startsWith(`${podUid}/`)) this.#written.delete(key)
    for (const key of this.#made) if (key.startsWith(`${podUid}/`)) this.#made.delete(key)
    await removeMemoryDirs(root, podUid)
    await removeTree(this.podDirectory(podUid))
  }

  async #mountOne(
    pod: Pod,
    volume: Volume,
    place: PlaceFacts,
    warnings: string[],
    signal: AbortSignal,
  ): Promise<string> {
    try {
      const path = await this.#prepare(pod, volume, place, warnings, signal)
      return path
    } catch (error) {
      throw mountError(volume, error)
    }
  }

  async #prepare(
    pod: Pod,
    volume: Volume,
    place: PlaceFacts,
    warnings: string[],
    signal: AbortSignal,
  ): Promise<string> {
    const { client } = this.#deps
    const payload = volumePayload(pod, volume, this.#sources(pod, place))
    if (payload) {
      const directory = this.#directory(pod, pluginOf(volume), volume.name)
      const key = `${pod.metadata.uid}/${volume.name}`
      const written = this.#written.get(key)
      if (written && isSamePayload(written, payload)) return directory
      await writePayload(directory, payload, this.#deps.clock.now())
      warnings.push(...(await applyFsGroup(pod, directory, 'readOnly')))
      this.#written.set(key, payload)
      return directory
    }
    if (volume.emptyDir) return await this.#emptyDir(pod, volume, warnings)
    if (volume.hostPath) {
      await prepareHostPath(volume.hostPath.path, volume.hostPath.type ?? '')
      return volume.hostPath.path
    }
    if (volume.persistentVolumeClaim ?? volume.ephemeral) {
      const { path, type } = await resolveClaim(client, pod, volume, signal)
      await prepareHostPath(path, type)
      return await realpath(path)
    }
    const kind = Object.keys(volume).find((key) => key !== 'name')
    throw new PayloadError(`no volume plugin matched: this node has none for "${kind}"`)
  }

  async #emptyDir(pod: Pod, volume: Volume, warnings: string[]): Promise<string> {
    const inMemory = volume.emptyDir?.medium === 'Memory'
    const onDisk = this.#directory(pod, 'empty-dir', volume.name)
    const path = inMemory ? await emptyDirPath(this.#deps.root, pod.metadata.uid, volume.name, onDisk) : onDisk
    const key = `${pod.metadata.uid}/${volume.name}`
    if (this.#made.has(key)) return path
    if (inMemory && path === onDisk) {
      warnings.push(`volume "${volume.name}": no memory-backed file system to be had here, using a plain directory`)
    }
    await mkdir(path, { recursive: true })
    await chmod(path, 0o777)
    warnings.push(...(await applyFsGroup(pod, path, 'writable')))
    this.#made.add(key)
    return path
  }

  #sources(pod: Pod, place: PlaceFacts): PayloadSources {
    const { objects, tokens } = this.#deps
    const namespace = pod.metadata.namespace ?? 'default'
    return {
      ...place,
      configMap: (name) => objects.configMap(namespace, name),
      secret: (name) => objects.secret(namespace, name),
      token: (audience, seconds) => tokens.get(pod.metadata.uid, audience, seconds),
    }
  }

  #directory(pod: Pod, plugin: string, name: string): string {
    return join(this.podDirectory(pod.metadata.uid), 'volumes', `kubernetes.io~${plugin}`, name)
  }
}

function pluginOf(volume: Volume): string {
  if (volume.configMap) return 'configmap'
  if (volume.secret) return 'secret'
  return volume.downwardAPI ? 'downward-api' : 'projected'
}

function mountError({ name }: Volume, error: unknown): unknown {
  if (error instanceof ClaimError) {
    const failed = `unmounted volumes=[${name}], unattached volumes=[], failed to process volumes=[${name}]`
    return new MountError(`Unable to attach or mount volumes: ${failed}: ${error.message}`, { cause: error })
  }
  const isOurs = error instanceof PayloadError || error instanceof HostPathError
  if (!isOurs && !(error instanceof Error && 'code' in error)) return error
  return new MountError(`${setUpFailed(name)} : ${error.message}`, { cause: error })
}

function setUpFailed(volume: string): string {
  return `MountVolume.SetUp failed for volume "${volume}"`
}

function tokenVolume(volumes: readonly Volume[]): string {
  return volumes.find(({ projected }) => projected?.sources?.some((one) => one.serviceAccountToken))?.name ?? ''
}
