/**
 * What is written on every container, so that the node agent can die and another one can take over: whose container
 * it is, which definition it was made from, how often it has been restarted. Nothing about running containers is kept
 * anywhere else.
 *
 * The keys and the names are those of Kubernetes' own Docker integration (cri-dockerd), so familiar
 * `docker ps --filter label=io.kubernetes.pod.name=web` lines work. Two are our own: the node, because all simulated
 * nodes share one engine, and the crash-loop delay.
 */

import { fnv1a } from '@dinghy/shared/api/hash'
import { podUidLabel } from '@dinghy/shared/docker/labels'
import type { Container, Pod } from '@dinghy/shared/api/types'

export const label = {
  node: 'io.dinghy.node',
  type: 'io.kubernetes.docker.type',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: podUidLabel,
  containerName: 'io.kubernetes.container.name',
  sandboxId: 'io.kubernetes.sandbox.id',
  hash: 'annotation.io.kubernetes.container.hash',
  restartCount: 'annotation.io.kubernetes.container.restartCount',
  terminationMessagePolicy: 'annotation.io.kubernetes.container.terminationMessagePolicy',
  gracePeriod: 'annotation.io.kubernetes.pod.terminationGracePeriod',
  /** Of a sandbox: the ports of the node that lead to it, as JSON. */
  hostPorts: 'annotation.io.dinghy.sandbox.hostPorts',
  /** Milliseconds that must pass between the end of this container and the start of the next one. */
  crashLoopDelay: 'annotation.io.dinghy.container.crashLoopDelayMs',
} as const

/** The pod's own name for its sandbox, in the place of a container name. */
const sandboxName = 'POD'

export function sandboxLabels(pod: Pod, node: string, attempt: number): Record<string, string> {
  return {
    ...pod.metadata.labels,
    ...podLabels(pod, node),
    [label.type]: 'podsandbox',
    [label.containerName]: sandboxName,
    [label.restartCount]: String(attempt),
  }
}

export function containerLabels(
  pod: Pod,
  container: Container,
  facts: { node: string; sandboxId: string; restartCount: number; crashLoopDelayMs: number },
): Record<string, string> {
  return {
    ...podLabels(pod, facts.node),
    [label.type]: 'container',
    [label.containerName]: container.name,
    [label.sandboxId]: facts.sandboxId,
    [label.hash]: containerHash(container),
    [label.restartCount]: String(facts.restartCount),
    [label.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
    [label.gracePeriod]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    [label.crashLoopDelay]: String(facts.crashLoopDelayMs),
  }
}

function podLabels(pod: Pod, node: string): Record<string, string> {
  return {
    [label.node]: node,
    [label.podName]: pod.metadata.name,
    [label.podNamespace]: pod.metadata.namespace ?? 'default',
    [label.podUid]: pod.metadata.uid,
  }
}

/** "k8s_<container>_<pod>_<namespace>_<uid>_<attempt>": unique, so that nothing can ever be started twice. */
export function containerNameFor(pod: Pod, container: string, attempt: number): string {
  const { name, namespace, uid } = pod.metadata
  return ['k8s', container, name, namespace ?? 'default', uid, attempt].join('_')
}

export function sandboxNameFor(pod: Pod, attempt: number): string {
  return containerNameFor(pod, sandboxName, attempt)
}

/**
 * Changes exactly when the container must be replaced. Everything but the image is immutable in a running pod, and
 * fields that a newer API server adds by default must not restart the world: so, as upstream, only name and image.
 */
export function containerHash(container: Pick<Container, 'name' | 'image'>): string {
  return fnv1a(JSON.stringify({ name: container.name, image: container.image })).toString(16)
}

/** How upstream names a pod in messages: "web_default(6d6c…)". */
export function podText(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace ?? 'default'}(${pod.metadata.uid})`
}
