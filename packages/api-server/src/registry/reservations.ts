/**
 * Things that objects take from a common stock: addresses and ports. What is taken is read off the stored objects, so
 * nothing can leak; what a write in flight is about to take is remembered only until that write is over.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from './resource-definition.ts'

export interface Allocator {
  group: string
  plural: string
  /**
   * Fills in what the object needs and does not have yet, and keeps others from taking it. Throws Invalid if what the
   * object asks for is taken or impossible. The returned function ends the reservation; call it when the write is over.
   */
  reserve(object: KubernetesObject, previous: KubernetesObject | undefined): () => void
}

export class Reservations {
  readonly #allocators: Allocator[]

  constructor(allocators: Allocator[]) {
    this.#allocators = allocators
  }

  reserve(definition: ResourceDefinition, object: KubernetesObject, previous?: KubernetesObject): () => void {
    const { group, plural } = definition
    const allocator = this.#allocators.find((one) => one.group === group && one.plural === plural)
    return allocator ? allocator.reserve(object, previous) : () => {}
  }
}
