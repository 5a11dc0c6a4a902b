/**
 * The ConfigMaps and Secrets that the pods of this node name, each kept up to date by a watch of its own.
 *
 * A node may see only what its pods need, so there is no list of all Secrets here: one informer for each object that
 * somebody names, shared by all who do, stopped when the last of them is gone. Because it is a watch, a pod that waits
 * for a missing ConfigMap starts the moment that it is created, and mounted files follow every change.
 * Follows upstream's pkg/kubelet/util/manager (watch based).
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { ConfigMaps, Secrets, type Resource } from '@dinghy/shared/api/resources'
import type { ConfigMap, KubernetesObject, Pod, Secret } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { Informer } from '@dinghy/shared/client/informer'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { referencesOf } from './references.ts'

interface Entry {
  informer: Informer<KubernetesObject>
  abort: AbortController
  /** Uids of the pods that name it. */
  users: Set<string>
}

export class ReferencedObjects {
  readonly #client: ApiClient
  readonly #options: { clock: Clock; log: Logger }
  readonly #entries = new Map<string, Entry>()
  /** pod uid → keys of entries */
  readonly #held = new Map<string, Set<string>>()
  readonly #onChange: (podUid: string, revision: string) => void

  /** `onChange` names a pod that must be looked at because something that it refers to has changed. */
  constructor(
    client: ApiClient,
    options: { clock: Clock; log: Logger },
    onChange: (podUid: string, revision: string) => void,
  ) {
    this.#client = client
    this.#options = options
    this.#onChange = onChange
  }

  /** Resolves when everything that the pod names has been looked up once. */
  async hold(pod: Pod): Promise<void> {
    const { configMaps, secrets } = referencesOf(pod)
    const namespace = pod.metadata.namespace ?? 'default'
    const keys = new Set<string>()
    for (const name of configMaps) keys.add(this.#use(ConfigMaps, namespace, name, pod.metadata.uid))
    for (const name of secrets) keys.add(this.#use(Secrets, namespace, name, pod.metadata.uid))
    this.#held.set(pod.metadata.uid, keys)
    await Promise.all([...keys].map(async (key) => this.#entries.get(key)?.informer.synced()))
  }

  release(podUid: string): void {
    for (const key of this.#held.get(podUid) ?? []) {
      const entry = this.#entries.get(key)
      entry?.users.delete(podUid)
      if (entry?.users.size !== 0) continue
      entry.abort.abort()
      this.#entries.delete(key)
    }
    this.#held.delete(podUid)
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.#find<ConfigMap>(ConfigMaps, namespace, name)
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.#find<Secret>(Secrets, namespace, name)
  }

  stop(): void {
    for (const { abort } of this.#entries.values()) abort.abort()
  }

  #find<T extends KubernetesObject>(resource: Resource<T>, namespace: string, name: string): T | undefined {
    const entry = this.#entries.get(entryKey(resource, namespace, name))
    return entry?.informer.lister.get(`${namespace}/${name}`) as T | undefined
  }

  #use<T extends KubernetesObject>(resource: Resource<T>, namespace: string, name: string, podUid: string): string {
    const key = entryKey(resource, namespace, name)
    const known = this.#entries.get(key)
    if (known) {
      known.users.add(podUid)
      return key
    }
    const selection = { namespace, fieldSelector: `metadata.name=${name}` }
    const informer = new Informer(this.#client, resource, { ...selection, ...this.#options })
    const entry: Entry = {
      informer: informer as unknown as Informer<KubernetesObject>,
      abort: new AbortController(),
      users: new Set([podUid]),
    }
    this.#entries.set(key, entry)
    informer.onChange(({ revision }) => {
      // The first list answers those who are waiting for it in hold().
      if (!informer.hasSynced()) return
      for (const user of entry.users) this.#onChange(user, revision)
    })
    informer.run(entry.abort.signal).catch((error: unknown) => {
      this.#options.log.error({ key, err: error }, 'the watch of a referenced object stopped')
    })
    return key
  }
}

function entryKey(resource: Resource, namespace: string, name: string): string {
  return `${resource.plural}/${namespace}/${name}`
}
