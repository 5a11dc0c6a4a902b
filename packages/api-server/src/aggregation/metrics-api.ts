/**
 * metrics.k8s.io/v1beta1: what pods and nodes use, for `kubectl top` and the HorizontalPodAutoscaler.
 *
 * Upstream this is an extension server, metrics-server, which asks all kubelets every 15 s. Here it is a part of this
 * process and asks a kubelet when somebody asks it, at most every ten seconds, so that it costs nothing while nobody
 * does. A metrics-server that is installed takes its place, because an APIService with a Service goes first.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { methodNotSupported, notFound, unknownResource } from '@dinghy/shared/api/errors'
import { Nodes, Pods, type Resource } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject, Node, Pod } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/process/logger'
import { httpRequest, readJson } from '@dinghy/shared/http/client'
import type { APIResource, ExtensionVersion } from '../discovery.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Extension } from '../http/pipeline.ts'
import { negotiate } from '../http/negotiation.ts'
import { jsonReply, type Reply } from '../http/reply.ts'
import { tableOf } from '../http/represent.ts'
import type { Services } from '../http/services.ts'
import type { IncludeObject } from '../http/table.ts'
import { kubeletOf } from '../http/subresources/pod-location.ts'
import type { Reader } from '../registry/reader.ts'
import type { Resources } from '../registry/resources.ts'
import { parseSelection } from '../registry/selection.ts'
import { type Metrics, metricsColumns, metricsList, nodeMetrics, podMetrics, type Summary } from './usage.ts'

export interface MetricsApiParts {
  reader: Reader
  resources: Resources
  clock: Clock
  log: Logger
  /** GET /stats/summary of a node's kubelet. Rejects if it does not answer in time. */
  readSummary(node: string): Promise<Summary>
}

const keptMs = 10_000

export class MetricsApi implements Extension, ExtensionVersion {
  readonly group = 'metrics.k8s.io'
  readonly version = 'v1beta1'
  readonly resources: APIResource[] = [
    { name: 'nodes', singularName: '', namespaced: false, kind: 'NodeMetrics', verbs: ['get', 'list'] },
    { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
  ]
  readonly #parts: MetricsApiParts
  readonly #summaries = new Map<string, { readAtMs: number; summary: Promise<Summary | undefined> }>()

  constructor(parts: MetricsApiParts) {
    this.#parts = parts
  }

  async answer(exchange: Exchange): Promise<Reply> {
    const { info } = exchange
    if (!info.isResource) {
      const groupVersion = `${this.group}/${this.version}`
      return jsonReply({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: this.resources })
    }
    const { resource, subresource, verb, namespace, name } = info
    const kind = resource === 'nodes' ? 'NodeMetrics' : 'PodMetrics'
    if (subresource !== undefined || !this.resources.some((one) => one.name === resource)) throw unknownResource()
    if (verb !== 'get' && verb !== 'list') throw methodNotSupported(this.group, resource, verb)
    const selected = this.#selected(exchange)
    const items = await (kind === 'NodeMetrics' ? this.#ofNodes(selected as Node[]) : this.#ofPods(selected as Pod[]))
    const [only] = items
    if (name !== undefined && !only) {
      throw notFound(this.group, kind.toLowerCase(), namespace ? `${namespace}/${name}` : name)
    }
    const { transform } = negotiate(exchange.request.headers.accept)
    if (transform?.kind === 'Table') {
      const includeObject = (exchange.query.get('includeObject') ?? 'Metadata') as IncludeObject
      const options = { includeObject, clock: this.#parts.clock }
      return jsonReply(
        tableOf(transform.apiVersion, { columns: metricsColumns }, items, { resourceVersion: '' }, options),
      )
    }
    return jsonReply(name === undefined ? metricsList(kind, items) : only)
  }

  /** The pods or nodes of this name, or those that the selectors of a list select. */
  #selected({ info, query }: Exchange): KubernetesObject[] {
    const { reader, resources } = this.#parts
    const resource: Resource = info.resource === 'nodes' ? Nodes : Pods
    if (info.name !== undefined)
      return [reader.get(resource, info.namespace, info.name)].filter((one) => one !== undefined)
    const definition = resources.get(resource.group, resource.version, resource.plural)
    if (!definition) throw unknownResource()
    const selection = parseSelection(definition, {
      labelSelector: query.get('labelSelector') ?? undefined,
      fieldSelector: query.get('fieldSelector') ?? undefined,
    })
    return reader.list(resource, info.namespace).filter((object) => selection.matches(object))
  }

  /** Nodes whose kubelets do not answer are left out, as upstream. */
  async #ofNodes(nodes: Node[]): Promise<Metrics[]> {
    const now = rfc3339(this.#parts.clock.now())
    const found = await Promise.all(
      nodes.map(async ({ metadata }) => {
        const summary = await this.#summaryOf(metadata.name)
        return summary && nodeMetrics(metadata, summary, now)
      }),
    )
    return found.filter((one) => one !== undefined)
  }

  async #ofPods(pods: Pod[]): Promise<Metrics[]> {
    const now = rfc3339(this.#parts.clock.now())
    const nodes = new Set(pods.flatMap(({ spec }) => spec.nodeName ?? []))
    const summaries = await Promise.all([...nodes].map((node) => this.#summaryOf(node)))
    const measured = new Map(
      summaries.flatMap((summary) => (summary?.pods ?? []).map((pod) => [keyOf(pod.podRef), pod] as const)),
    )
    return pods.flatMap(({ metadata }) => {
      const summary = measured.get(keyOf(metadata))
      return (summary && podMetrics(metadata, summary, now)) ?? []
    })
  }

  /** All who ask at the same time share one question, which does not end when the first of them hangs up. */
  #summaryOf(node: string): Promise<Summary | undefined> {
    const { clock, log } = this.#parts
    const known = this.#summaries.get(node)
    if (known && clock.now() - known.readAtMs < keptMs) return known.summary
    const summary = this.#parts.readSummary(node).catch((error: unknown) => {
      this.#summaries.delete(node)
      log.debug({ err: error, node }, 'a kubelet does not say what its pods use')
      return undefined
    })
    this.#summaries.set(node, { readAtMs: clock.now(), summary })
    return summary
  }
}

function keyOf({ namespace = '', name }: { namespace?: string; name: string }): string {
  return `${namespace}/${name}`
}

const summaryTimeoutMs = 5_000

export function summaryReader(kubelets: Pick<Services, 'reader' | 'kubeletTls'>): MetricsApiParts['readSummary'] {
  return async (node) => {
    const { scheme, host, port, tls } = kubeletOf(kubelets, node)
    const url = { origin: `${scheme}://${host}:${port}`, path: '/stats/summary' }
    const times = { headersTimeoutMs: summaryTimeoutMs, bodyTimeoutMs: summaryTimeoutMs }
    const response = await httpRequest({ method: 'GET', url, tls, ...times })
    if (response.status !== 200) throw new Error(`GET ${url.origin}${url.path}: ${response.status}`)
    return await readJson<Summary>(response)
  }
}
