/**
 * Typed reads of the present for the server's own code: admission, allocators, subresources.
 *
 * The objects are the ones everybody reads: never change them.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Storage } from '../storage/storage.ts'
import type { Location } from './object-key.ts'
import { keyPrefix, objectKey } from './object-key.ts'

export class Reader {
  readonly #storage: Storage

  constructor(storage: Storage) {
    this.#storage = storage
  }

  get<T extends KubernetesObject>(resource: Resource<T>, namespace: string | undefined, name: string): T | undefined {
    return this.#storage.get(objectKey(resource, namespace, name))?.object as T | undefined
  }

  list<T extends KubernetesObject>(resource: Resource<T>, namespace?: string): T[] {
    return this.listAt(resource, namespace) as T[]
  }

  /** The same for kinds that have no typed resource. */
  listAt(location: Location, namespace?: string): KubernetesObject[] {
    return this.#storage.list(keyPrefix(location, namespace)).entries.map((entry) => entry.object)
  }

  count(resource: Resource, namespace?: string): number {
    return this.#storage.count(keyPrefix(resource, namespace))
  }
}
