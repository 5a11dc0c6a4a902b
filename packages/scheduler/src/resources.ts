/**
 * Resource arithmetic: what a pod asks for, what a node has to give.
 *
 * Amounts are plain numbers, cpu in thousandths of a core and everything else in its own unit (bytes, pieces), so that
 * plugins add and compare without parsing. What a pod asks for is computed once for each version of the pod.
 * Follows k8s.io/component-helpers/resource.
 */

import { bytes, milliCpu } from '@dinghy/shared/api/quantity'
import type { Container, Node, Pod } from '@dinghy/shared/api/types'

/** Resource name → amount; a missing name is zero. */
export type Resources = Readonly<Record<string, number>>

type Quantities = Readonly<Record<string, string>> | undefined

/**
 * What scoring assumes of a container that asks for nothing. It does use something; without this, a hundred of them
 * would all look free and end up on the same node.
 */
const assumed: Resources = { cpu: 100, memory: 200 * 1024 * 1024 }

function parseResources(quantities: Quantities): Resources {
  const entries = Object.entries(quantities ?? {})
  return Object.fromEntries(entries.map(([name, text]) => [name, name === 'cpu' ? milliCpu(text) : bytes(text)]))
}

export function allocatable(node: Node): Resources {
  return parseResources(node.status.allocatable ?? node.status.capacity)
}

/** What the pod asks for: the sum that must be free on a node. */
export const podRequests = remembered((pod) => requestsOf(pod, {}))

/** The same, with an assumption where a container asks for no cpu or no memory; for scoring only. */
export const podRequestsAssumed = remembered((pod) => requestsOf(pod, assumed))

/**
 * Init containers run one after the other before the rest, so the pod needs the largest of them or the sum of the
 * others, whichever is more. A restartable init container (a sidecar) stays, so it counts for all that come after it.
 */
function requestsOf(pod: Pod, missing: Resources): Resources {
  const { containers, initContainers = [], overhead } = pod.spec
  const allocated = new Map((pod.status.containerStatuses ?? []).map((one) => [one.name, one.allocatedResources]))
  // While a container is being resized in place, the node has to hold the larger of the old and the new.
  const requests = (one: Container) =>
    largest(requestsOfContainer(one, missing), parseResources(allocated.get(one.name)))

  let running = sum(containers.map(requests))
  let sidecars: Resources = {}
  let starting: Resources = {}
  for (const one of initContainers) {
    if (one.restartPolicy === 'Always') {
      sidecars = add(sidecars, requests(one))
      running = add(running, requests(one))
      starting = largest(starting, sidecars)
    } else {
      starting = largest(starting, add(sidecars, requests(one)))
    }
  }
  return add(largest(running, starting), parseResources(overhead))
}

function requestsOfContainer(container: Container, missing: Resources): Resources {
  return { ...missing, ...parseResources(container.resources?.requests) }
}

export function add(a: Resources, b: Resources): Resources {
  return combine(a, b, (x, y) => x + y)
}

export function sum(all: readonly Resources[]): Resources {
  return all.reduce(add, {})
}

function largest(a: Resources, b: Resources): Resources {
  return combine(a, b, Math.max)
}

function combine(a: Resources, b: Resources, operation: (x: number, y: number) => number): Resources {
  const result: Record<string, number> = { ...a }
  for (const [name, amount] of Object.entries(b)) result[name] = operation(result[name] ?? 0, amount)
  return result
}

/** Objects from an informer never change, so neither does what follows from one. */
function remembered(compute: (pod: Pod) => Resources): (pod: Pod) => Resources {
  const known = new WeakMap<Pod, Resources>()
  return (pod) => {
    const value = known.get(pod) ?? compute(pod)
    known.set(pod, value)
    return value
  }
}
