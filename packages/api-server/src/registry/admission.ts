/**
 * Admission: what may change a write (admit) or refuse it (validate) after it is authorized and before it is stored.
 * This is the seam; the plugins are in ../admission/.
 *
 * Plugins run in the order of the chain; first every admit, then, when the object is final and valid, every validate.
 * If a webhook changed the object, every admit runs once more, so that what others filled in still fits. A refusal is a
 * thrown StatusError, usually Forbidden.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from './resource-definition.ts'
import type { WriteContext } from './write-context.ts'

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  /** In whose version the objects are: the stored one. */
  definition: ResourceDefinition
  /** In which version the client asked; the stored one unless said otherwise. */
  requested?: ResourceDefinition
  /**
   * What `object` is, where a subresource speaks another kind than its resource: a Scale, a Binding, PodExecOptions.
   */
  kind?: GroupVersionKind
  subresource: string | undefined
  namespace: string | undefined
  /** Empty while a generated name has not been chosen yet. */
  name: string
  /** The new state; `admit` may change it in place, or put another in its place. Undefined for DELETE. */
  object: KubernetesObject | undefined
  /** The state before. Undefined for CREATE and CONNECT. */
  previous: KubernetesObject | undefined
  /** CreateOptions and the like, as far as the request said more than its context. */
  options?: object
  /** Set when the admit stage runs for the second time. */
  isReinvocation?: boolean
  context: WriteContext
}

export interface GroupVersionKind {
  group: string
  version: string
  kind: string
}

export interface AdmissionPlugin {
  /** Upstream's plugin name. */
  name: string
  /** Asks for the second run by returning 'reinvoke'. */
  admit?(request: AdmissionRequest): Admitted | Promise<Admitted>
  /** May hold something until the write is over, by returning how to let go of it. */
  validate?(request: AdmissionRequest): Release | undefined | void | Promise<Release | undefined | void>
}

export type Admitted = 'reinvoke' | undefined | void
export type Release = () => void

type Admitting = AdmissionPlugin & Required<Pick<AdmissionPlugin, 'admit'>>
type Validating = AdmissionPlugin & Required<Pick<AdmissionPlugin, 'validate'>>

export class AdmissionChain {
  readonly #admitting: Admitting[]
  readonly #validating: Validating[]

  constructor(plugins: AdmissionPlugin[]) {
    this.#admitting = plugins.filter((plugin): plugin is Admitting => plugin.admit !== undefined)
    this.#validating = plugins.filter((plugin): plugin is Validating => plugin.validate !== undefined)
  }

  async admit(request: AdmissionRequest): Promise<void> {
    if (request.context.isAdmitted || !(await this.#admitAll(request))) return
    request.isReinvocation = true
    await this.#admitAll(request)
    delete request.isReinvocation
  }

  /** Whether somebody asks for another run. Only a plugin that waits is waited for: most have nothing to say. */
  async #admitAll(request: AdmissionRequest): Promise<boolean> {
    let again = false
    for (const plugin of this.#admitting) {
      const admitted = plugin.admit(request)
      if ((admitted instanceof Promise ? await admitted : admitted) === 'reinvoke') again = true
    }
    return again
  }

  /** Call the returned function when the write is over. */
  async validate(request: AdmissionRequest): Promise<Release> {
    const held: Release[] = []
    if (request.context.isAdmitted) return () => {}
    const release = () => held.forEach((letGo) => letGo())
    try {
      for (const plugin of this.#validating) {
        const validated = plugin.validate(request)
        const letGo = validated instanceof Promise ? await validated : validated
        if (letGo) held.push(letGo)
      }
    } catch (error) {
      release()
      throw error
    }
    return release
  }

  /** Both, for what is not stored as it was sent: subresources, reviews, connections. */
  async run(request: AdmissionRequest): Promise<void> {
    await this.admit(request)
    const settle = await this.validate(request)
    settle()
  }
}

/** Whether the request is about the kind itself (not a subresource) of this group and plural. */
export function isAbout(request: AdmissionRequest, group: string, plural: string): boolean {
  return request.subresource === undefined && request.definition.group === group && request.definition.plural === plural
}
