/**
 * Admission: what may change a write (admit) or refuse it (validate) after it is authorized and before it is stored.
 * This is the seam; the plugins are in ../admission/.
 *
 * Plugins run in the order of the chain; first every admit, then, when the object is final and valid, every validate.
 * A refusal is a thrown StatusError, usually Forbidden.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from './resource-definition.ts'
import type { WriteContext } from './write-context.ts'

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  definition: ResourceDefinition
  subresource: string | undefined
  namespace: string | undefined
  /** Empty while a generated name has not been chosen yet. */
  name: string
  /** The new state; `admit` may change it in place. Undefined for DELETE and CONNECT. */
  object: KubernetesObject | undefined
  /** The state before. Undefined for CREATE. */
  previous: KubernetesObject | undefined
  context: WriteContext
}

export interface AdmissionPlugin {
  /** Upstream's plugin name. */
  name: string
  admit?(request: AdmissionRequest): void | Promise<void>
  /** May hold something until the write is over, by returning how to let go of it. */
  validate?(request: AdmissionRequest): Release | undefined | void | Promise<Release | undefined | void>
}

export type Release = () => void

export class AdmissionChain {
  readonly #plugins: AdmissionPlugin[]

  constructor(plugins: AdmissionPlugin[]) {
    this.#plugins = plugins
  }

  async admit(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) await plugin.admit?.(request)
  }

  /** Call the returned function when the write is over. */
  async validate(request: AdmissionRequest): Promise<Release> {
    const held: Release[] = []
    const release = () => held.forEach((letGo) => letGo())
    try {
      for (const plugin of this.#plugins) {
        const letGo = await plugin.validate?.(request)
        if (letGo) held.push(letGo)
      }
    } catch (error) {
      release()
      throw error
    }
    return release
  }
}

/** Whether the request is about the kind itself (not a subresource) of this group and plural. */
export function isAbout(request: AdmissionRequest, group: string, plural: string): boolean {
  return request.subresource === undefined && request.definition.group === group && request.definition.plural === plural
}
