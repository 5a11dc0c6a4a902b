/**
 * All probes of a node's containers. After every look at a pod, follow() brings them in line with what runs: workers
 * for new containers, none for those that are gone; liveness and readiness begin when startup has succeeded.
 *
 * Callers may rely on: the answers below are always at hand, never asked for; onChange names the pod whose answers have
 * changed. Follows upstream's prober manager.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Container, EphemeralContainer, Pod } from '@dinghy/shared/api/types'
import type { DockerClient } from '../docker/docker-client.ts'
import type { ObservedContainer, ObservedPod } from '../observed/observed-pod.ts'
import { check } from './check.ts'
import type { ProbeType } from './probe-state.ts'
import { ProbeWorker } from './probe-worker.ts'

interface Probed {
  podUid: string
  workers: Partial<Record<ProbeType, ProbeWorker>>
}

export interface ProbesDeps {
  docker: DockerClient
  clock: Clock
  onChange: (pod: Pod) => void
  onUnhealthy: (pod: Pod, container: Container, message: string) => void
}

export class Probes {
  readonly #deps: ProbesDeps
  /** By container id. */
  readonly #probed = new Map<string, Probed>()

  constructor(deps: ProbesDeps) {
    this.#deps = deps
  }

  /** `podIP` undefined: the pod is not there (yet). `ending`: it is being stopped, so its health does not matter. */
  follow(pod: Pod, observed: ObservedPod, podIP: string | undefined, ending: boolean): void {
    const { uid } = pod.metadata
    const running = new Map(observed.containers.filter(({ state }) => state === 'running').map((one) => [one.id, one]))
    for (const [id, { podUid, workers }] of this.#probed) {
      if (podUid !== uid || (running.has(id) && !ending)) continue
      for (const worker of Object.values(workers)) worker.stop()
      if (!running.has(id)) this.#probed.delete(id)
    }
    if (ending || podIP === undefined) return
    for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
      for (const seen of running.values()) {
        if (seen.name === container.name && !this.#probed.has(seen.id)) this.#begin(pod, container, seen, podIP)
      }
    }
  }

  forget(podUid: string): void {
    for (const [id, probed] of this.#probed) {
      if (probed.podUid !== podUid) continue
      for (const worker of Object.values(probed.workers)) worker.stop()
      this.#probed.delete(id)
    }
  }

  stop(): void {
    for (const { workers } of this.#probed.values()) for (const worker of Object.values(workers)) worker.stop()
  }

  liveness(containerId: string): 'success' | 'failure' | undefined {
    return decided(this.#probed.get(containerId)?.workers.liveness)
  }

  startup(containerId: string): 'success' | 'failure' | undefined {
    return decided(this.#probed.get(containerId)?.workers.startup)
  }

  /** A container without probes is started and ready as soon as it runs. */
  readinessOf(containerId: string, container: Container | EphemeralContainer): { started: boolean; ready: boolean } {
    const workers = this.#probed.get(containerId)?.workers
    const started = !container.startupProbe || workers?.startup?.verdict === 'success'
    return { started, ready: started && (!container.readinessProbe || workers?.readiness?.verdict === 'success') }
  }

  #begin(pod: Pod, container: Container, seen: ObservedContainer, podIP: string): void {
    const workers: Probed['workers'] = {}
    this.#probed.set(seen.id, { podUid: pod.metadata.uid, workers })
    // What the last agent wrote about this very container still holds.
    const before = statusOf(pod, seen.id)
    const target = { container, containerId: seen.id, podIP }
    const create = (type: ProbeType, onVerdict: () => void): ProbeWorker | undefined => {
      const probe = container[`${type}Probe`]
      if (!probe) return undefined
      const worker = new ProbeWorker({
        type,
        probe,
        startedAt: seen.startedAt ?? seen.createdAt,
        wasGood: (type === 'startup' ? before?.started : before?.ready) === true,
        clock: this.#deps.clock,
        check: (signal) => check(this.#deps.docker, this.#deps.clock, probe, target, signal),
        onFailure: (message) => this.#deps.onUnhealthy(pod, container, message),
        onVerdict,
      })
      workers[type] = worker
      return worker
    }
    const changed = (): void => this.#deps.onChange(pod)
    const others = [create('liveness', changed), create('readiness', changed)]
    const startOthers = (): void => others.forEach((worker) => worker?.start())
    const startup = create('startup', () => {
      if (startup?.verdict === 'success') startOthers()
      changed()
    })
    if (startup && startup.verdict !== 'success') startup.start()
    else startOthers()
  }
}

function decided(worker: ProbeWorker | undefined): 'success' | 'failure' | undefined {
  return worker === undefined || worker.verdict === 'unknown' ? undefined : worker.verdict
}

function statusOf({ status }: Pod, containerId: string) {
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
  return all.find(({ containerID }) => containerID === `docker://${containerId}`)
}
