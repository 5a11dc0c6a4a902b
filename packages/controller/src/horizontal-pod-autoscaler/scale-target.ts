/**
 * What an autoscaler scales: anything with a scale subresource, custom resources too. Which path a kind has is asked of
 * discovery once, and again when a kind is not known.
 */

import { notFound } from '@dinghy/shared/api/errors'
import { type Resource, resourcePath } from '@dinghy/shared/api/resources'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { discover } from '@dinghy/shared/client/discovery'
import { readJson } from '@dinghy/shared/http/client'

export interface Scale {
  metadata: { name: string; namespace: string; resourceVersion: string }
  spec: { replicas?: number }
  status?: { replicas?: number; selector?: string }
}

export interface Reference {
  apiVersion?: string
  kind: string
  name: string
}

export class ScaleTargets {
  #known = new Map<string, Resource>()

  async resourceOf(client: ApiClient, { apiVersion = 'v1', kind }: Omit<Reference, 'name'>, signal: AbortSignal) {
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
    const key = `${group}/${kind}`
    if (!this.#known.has(key)) {
      const all = await discover(client, signal)
      this.#known = new Map(all.map((resource) => [`${resource.group}/${resource.kind}`, resource]))
    }
    const resource = this.#known.get(key)
    if (!resource) throw notFound(group ?? '', kind, '')
    return resource
  }

  async get(client: ApiClient, namespace: string, reference: Reference, signal: AbortSignal): Promise<Scale> {
    const path = await this.#path(client, namespace, reference, signal)
    return await readJson<Scale>(await client.raw('GET', path, undefined, {}, signal))
  }

  async set(client: ApiClient, namespace: string, reference: Reference, scale: Scale, signal: AbortSignal) {
    const path = await this.#path(client, namespace, reference, signal)
    const response = await client.raw('PUT', path, scale, {}, signal)
    response.body.destroy()
  }

  async #path(client: ApiClient, namespace: string, reference: Reference, signal: AbortSignal): Promise<string> {
    const resource = await this.resourceOf(client, reference, signal)
    return resourcePath(resource, namespace, reference.name, 'scale')
  }
}
