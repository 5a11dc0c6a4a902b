/**
 * GET /stats/summary: what the node's pods use, from the engine's statistics. `kubectl top` lives on it.
 * CPU comes as a counter; the rate needs two looks, so the last one is kept.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { Pod } from '@dinghy/shared/api/types'
import type { DockerClient } from '../docker/docker-client.ts'
import type { ContainerStats } from '@dinghy/shared/docker/types'
import type { ObservedContainer } from '../observed/observed-pod.ts'
import type { PodObserver } from '../pods/pod-observer.ts'

interface Sample {
  atMs: number
  cpuNanos: number
}

export class StatsSummary {
  readonly #docker: DockerClient
  readonly #observer: PodObserver
  readonly #clock: Clock
  readonly #node: string
  #samples = new Map<string, Sample>()

  constructor(deps: { docker: DockerClient; observer: PodObserver; clock: Clock; node: string }) {
    this.#docker = deps.docker
    this.#observer = deps.observer
    this.#clock = deps.clock
    this.#node = deps.node
  }

  async read(pods: readonly Pod[]): Promise<object> {
    const samples = new Map<string, Sample>()
    const summaries = await Promise.all(pods.map((pod) => this.#pod(pod, samples)))
    this.#samples = samples
    return { node: { nodeName: this.#node, ...total(summaries) }, pods: summaries }
  }

  async #pod(pod: Pod, samples: Map<string, Sample>) {
    const { name, namespace, uid } = pod.metadata
    const observed = await this.#observer.observe(uid)
    const running = observed.containers.filter(({ state }) => state === 'running')
    const containers = await Promise.all(running.map((container) => this.#container(container, samples)))
    return {
      podRef: { name, namespace, uid },
      ...(pod.status.startTime ? { startTime: pod.status.startTime } : {}),
      containers,
      ...total(containers),
    }
  }

  async #container(container: ObservedContainer, samples: Map<string, Sample>) {
    const stats = await this.#docker.stats(container.id)
    const nowMs = this.#clock.now()
    const cpuNanos = stats.cpu_stats?.cpu_usage?.total_usage ?? 0
    samples.set(container.id, { atMs: nowMs, cpuNanos })
    const time = rfc3339(nowMs)
    const before = this.#samples.get(container.id) ?? { atMs: container.startedAt ?? nowMs, cpuNanos: 0 }
    return {
      name: container.name,
      startTime: rfc3339(container.startedAt ?? container.createdAt),
      cpu: { time, usageNanoCores: cpuRate(before, { atMs: nowMs, cpuNanos }), usageCoreNanoSeconds: cpuNanos },
      memory: { time, usageBytes: stats.memory_stats?.usage ?? 0, workingSetBytes: workingSet(stats) },
    }
  }
}

function cpuRate(before: Sample, now: Sample): number {
  const seconds = (now.atMs - before.atMs) / 1000
  return seconds <= 0 ? 0 : Math.max(0, Math.round((now.cpuNanos - before.cpuNanos) / seconds))
}

/** Without the files that the kernel may forget at any time. */
function workingSet({ memory_stats: memory }: ContainerStats): number {
  const inactive = memory?.stats?.['inactive_file'] ?? memory?.stats?.['total_inactive_file'] ?? 0
  return Math.max(0, (memory?.usage ?? 0) - inactive)
}

interface Used {
  cpu: { time: string; usageNanoCores: number; usageCoreNanoSeconds: number }
  memory: { time: string; usageBytes: number; workingSetBytes: number }
}

function total(parts: readonly Partial<Used>[]): Partial<Used> {
  const used = parts.filter((part): part is Used => part.cpu !== undefined && part.memory !== undefined)
  const [first] = used
  if (!first) return {}
  const sum = (read: (part: Used) => number) => used.reduce((whole, part) => whole + read(part), 0)
  return {
    cpu: {
      time: first.cpu.time,
      usageNanoCores: sum(({ cpu }) => cpu.usageNanoCores),
      usageCoreNanoSeconds: sum(({ cpu }) => cpu.usageCoreNanoSeconds),
    },
    memory: {
      time: first.memory.time,
      usageBytes: sum(({ memory }) => memory.usageBytes),
      workingSetBytes: sum(({ memory }) => memory.workingSetBytes),
    },
  }
}
