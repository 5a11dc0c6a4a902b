/**
 * Which engine container does a request mean? From namespace, pod and container name, by way of the pod object and what
 * the engine shows. The refusals are upstream's, word for word, because kubectl prints them.
 */

import { badRequest, notFound } from '@dinghy/shared/api/errors'
import type { Container, EphemeralContainer, Pod } from '@dinghy/shared/api/types'
import type { Lister } from '@dinghy/shared/client/lister'
import { latestOf, previousOf, type ObservedContainer } from '../observed/observed-pod.ts'
import type { PodObserver } from '../pods/pod-observer.ts'

export interface Found {
  pod: Pod
  container: Container | EphemeralContainer
  seen: ObservedContainer
}

export class ContainerLookup {
  readonly #pods: Lister<Pod>
  readonly #observer: PodObserver

  constructor(pods: Lister<Pod>, observer: PodObserver) {
    this.#pods = pods
    this.#observer = observer
  }

  pod(namespace: string, name: string): Pod {
    const pod = this.#pods.get(`${namespace}/${name}`)
    if (!pod) throw notFound('', 'pods', name)
    return pod
  }

  pods(): Pod[] {
    return this.#pods.list()
  }

  async forLogs(namespace: string, podName: string, name: string, previous: boolean): Promise<Found> {
    const { pod, container } = this.#defined(namespace, podName, name)
    const observed = await this.#observer.observe(pod.metadata.uid)
    const latest = latestOf(observed, name)
    if (previous) {
      // While it waits for its next start, the run that ended last is the previous one.
      const ended = latest?.state === 'exited' && isWaiting(pod, name) ? latest : previousOf(observed, name)
      if (!ended)
        throw badRequest(
          `previous terminated container ${JSON.stringify(name)} in pod ${JSON.stringify(podName)} not found`,
        )
      return { pod, container, seen: ended }
    }
    if (!latest || latest.state === 'created') throw badRequest(waitingText(pod, name))
    return { pod, container, seen: latest }
  }

  async running(namespace: string, podName: string, name: string): Promise<Found> {
    const { pod, container } = this.#defined(namespace, podName, name)
    const seen = latestOf(await this.#observer.observe(pod.metadata.uid), name)
    if (seen?.state === 'running') return { pod, container, seen }
    throw badRequest(`container not found (${JSON.stringify(name)})`)
  }

  #defined(namespace: string, podName: string, name: string): { pod: Pod; container: Container | EphemeralContainer } {
    const pod = this.pod(namespace, podName)
    const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec
    const container = [...initContainers, ...containers, ...ephemeralContainers].find((one) => one.name === name)
    if (!container) throw badRequest(`container ${name} is not valid for pod ${podName}`)
    return { pod, container }
  }
}

function statusOf({ status }: Pod, name: string) {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses].find(
    (one) => one.name === name,
  )
}

function isWaiting(pod: Pod, name: string): boolean {
  return statusOf(pod, name)?.state?.waiting !== undefined
}

function waitingText(pod: Pod, name: string): string {
  const where = `container ${JSON.stringify(name)} in pod ${JSON.stringify(pod.metadata.name)}`
  const reason = statusOf(pod, name)?.state?.waiting?.reason
  if (reason === 'ErrImagePull') return `${where} is waiting to start: image can't be pulled`
  if (reason === 'ImagePullBackOff') return `${where} is waiting to start: trying and failing to pull image`
  return reason ? `${where} is waiting to start: ${reason}` : `${where} is not available`
}
