/**
 * Extender: a program outside of the scheduler that is asked over HTTP about a pod's nodes, by the JSON of
 * k8s.io/kube-scheduler/extender/v1 (whose names are written as in Go, with capitals). Older than plugins, and the way
 * to have a say in a scheduler that one cannot rebuild.
 *
 *   filter      nodes in, those that fit and why the others do not out
 *   prioritize  nodes in, a score of 0…10 for each out, which counts with the extender's weight
 *   bind        it binds the pod itself
 */

import { readFile } from 'node:fs/promises'
import type { Pod } from '@dinghy/shared/api/types'
import { httpRequest, readText } from '@dinghy/shared/http/client'
import type { ClientTls } from '@dinghy/shared/http/client-tls'
import type { ExtenderConfiguration, ExtenderTls, PemSource } from './configuration/extenders.ts'
import { maxNodeScore, type Refusal } from './framework.ts'
import { nameOf, type NodeInfo } from './snapshot.ts'

export interface Filtered {
  feasible: NodeInfo[]
  /** By node name. */
  refusals: Map<string, Refusal>
}

/** An extender's scores go to 10, a node's to 100. */
const scoreScale = maxNodeScore / 10

export class Extender {
  readonly #options: ExtenderConfiguration
  readonly #tls: ClientTls | undefined

  static async from(options: ExtenderConfiguration): Promise<Extender> {
    return new Extender(options, options.tls && (await readTls(options.tls)))
  }

  private constructor(options: ExtenderConfiguration, tls: ClientTls | undefined) {
    this.#options = options
    this.#tls = tls
  }

  get name(): string {
    return this.#options.urlPrefix
  }

  /** Pods are placed without it while it does not answer. */
  get isIgnorable(): boolean {
    return this.#options.ignorable
  }

  get binds(): boolean {
    return this.#options.bindVerb !== ''
  }

  /** With managed resources it is asked only about pods that want one of them. */
  isInterestedIn({ spec }: Pod): boolean {
    const { managedResources } = this.#options
    if (managedResources.length === 0) return true
    const wanted = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ resources }) => [
      ...Object.keys(resources?.requests ?? {}),
      ...Object.keys(resources?.limits ?? {}),
    ])
    return managedResources.some(({ name }) => wanted.includes(name))
  }

  async filter(pod: Pod, nodes: readonly NodeInfo[], signal: AbortSignal): Promise<Filtered> {
    const { filterVerb } = this.#options
    if (filterVerb === '') return { feasible: [...nodes], refusals: new Map() }
    const answer = (await this.#ask(filterVerb, this.#about(pod, nodes), signal)) as FilterAnswer
    if (answer.Error) throw new Error(answer.Error)
    const names = answer.NodeNames ?? answer.Nodes?.items?.map(({ metadata }) => metadata.name) ?? []
    const unknown = names.find((name) => !nodes.some((info) => nameOf(info) === name))
    if (unknown !== undefined) {
      throw new Error(
        `extender "${this.name}" claims a filtered node "${unknown}" which is not found in the input node list`,
      )
    }
    const refusals = new Map<string, Refusal>()
    for (const info of nodes) {
      const name = nameOf(info)
      if (names.includes(name)) continue
      const unresolvable = answer.FailedAndUnresolvableNodes?.[name]
      const reason = unresolvable ?? answer.FailedNodes?.[name] ?? 'node(s) refused by an extender'
      const code = unresolvable === undefined ? 'Unschedulable' : 'UnschedulableAndUnresolvable'
      refusals.set(name, { code, reasons: [reason] })
    }
    return { feasible: nodes.filter((info) => names.includes(nameOf(info))), refusals }
  }

  /** Node name → what it adds to the sum of the plugins' scores. */
  async prioritize(pod: Pod, nodes: readonly NodeInfo[], signal: AbortSignal): Promise<Map<string, number>> {
    const { prioritizeVerb, weight } = this.#options
    if (prioritizeVerb === '') return new Map()
    const answer = (await this.#ask(prioritizeVerb, this.#about(pod, nodes), signal)) as PriorityAnswer
    return new Map((answer ?? []).map(({ Host, Score }) => [Host, Score * weight * scoreScale]))
  }

  async bind({ metadata: { name, namespace, uid } }: Pod, nodeName: string, signal: AbortSignal): Promise<void> {
    const body = { PodName: name, PodNamespace: namespace, PodUID: uid, Node: nodeName }
    const { Error: failure } = (await this.#ask(this.#options.bindVerb, body, signal)) as { Error?: string }
    if (failure) throw new Error(failure)
  }

  /** One that keeps its own cache of nodes is told their names. */
  #about(pod: Pod, nodes: readonly NodeInfo[]): object {
    if (this.#options.nodeCacheCapable) return { Pod: pod, NodeNames: nodes.map(nameOf) }
    const items = nodes.map(({ node }) => node)
    return { Pod: pod, Nodes: { apiVersion: 'v1', kind: 'NodeList', metadata: {}, items } }
  }

  async #ask(verb: string, body: object, signal: AbortSignal): Promise<unknown> {
    const url = `${this.#options.urlPrefix}/${verb}`
    const response = await httpRequest(
      {
        method: 'POST',
        url,
        tls: this.#tls,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        headersTimeoutMs: this.#options.timeoutMs,
        bodyTimeoutMs: this.#options.timeoutMs,
      },
      signal,
    )
    const text = await readText(response)
    if (response.status !== 200) throw new Error(`failed ${verb} with extender at URL ${url}, code ${response.status}`)
    return JSON.parse(text)
  }
}

interface FilterAnswer {
  Nodes?: { items?: { metadata: { name: string } }[] | null } | null
  NodeNames?: string[] | null
  FailedNodes?: Record<string, string> | null
  FailedAndUnresolvableNodes?: Record<string, string> | null
  Error?: string
}

type PriorityAnswer = { Host: string; Score: number }[] | null

async function readTls({ insecure, serverName, ca, cert, key }: ExtenderTls): Promise<ClientTls> {
  const read = async (name: string, source: PemSource | undefined): Promise<Record<string, string>> => {
    if (source === undefined) return {}
    return { [name]: 'pem' in source ? source.pem : await readFile(source.file, 'utf8') }
  }
  return {
    rejectUnauthorized: !insecure,
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(await read('ca', ca)),
    ...(await read('cert', cert)),
    ...(await read('key', key)),
  }
}
