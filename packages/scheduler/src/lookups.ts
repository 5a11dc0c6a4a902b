/**
 * What plugins need to know of objects other than pods and nodes, from listers: those that informers keep up to date,
 * or those of a moment that is past.
 */

import { controllerOf } from '@dinghy/shared/api/owners'
import {
  Namespaces,
  PersistentVolumeClaims,
  PersistentVolumes,
  ReplicaSets,
  ReplicationControllers,
  Services,
  StatefulSets,
  StorageClasses,
  type Resource,
} from '@dinghy/shared/api/resources'
import { labelSelectorFrom, labelSelectorFromMap, matchesLabels, type Selector } from '@dinghy/shared/api/selectors'
import type { KubernetesObject, Pod } from '@dinghy/shared/api/types'
import type { Lister } from '@dinghy/shared/client/lister'
import type { Lookups } from './snapshot.ts'

export type ListerOf = <T extends KubernetesObject>(resource: Resource<T>) => Lister<T>

export function lookupsIn(listerOf: ListerOf): Lookups {
  const namespaces = listerOf(Namespaces)
  const claims = listerOf(PersistentVolumeClaims)
  const volumes = listerOf(PersistentVolumes)
  const storageClasses = listerOf(StorageClasses)
  const siblings = siblingLookup(listerOf)
  return {
    namespaceLabels: (namespace) => namespaces.get(namespace)?.metadata.labels,
    siblingSelector: siblings,
    claim: (namespace, name) => claims.get(`${namespace}/${name}`),
    volume: (name) => volumes.get(name),
    volumes: () => volumes.list(),
    storageClass: (name) => storageClasses.get(name),
  }
}

/** All selectors that make pods siblings of this one, joined: of the Services it is behind, and of its controller. */
function siblingLookup(listerOf: ListerOf): (pod: Pod) => Selector | undefined {
  const services = listerOf(Services)
  const replicaSets = listerOf(ReplicaSets)
  const statefulSets = listerOf(StatefulSets)
  const replicationControllers = listerOf(ReplicationControllers)

  const ofController = (pod: Pod): Selector | undefined => {
    const owner = controllerOf(pod)
    const key = `${pod.metadata.namespace}/${owner?.name}`
    switch (owner?.kind) {
      case 'ReplicaSet':
        return labelSelectorFrom(replicaSets.get(key)?.spec.selector)
      case 'StatefulSet':
        return labelSelectorFrom(statefulSets.get(key)?.spec.selector)
      case 'ReplicationController':
        return labelSelectorFromMap(replicationControllers.get(key)?.spec.selector ?? {})
      default:
        return undefined
    }
  }

  return (pod) => {
    const behind = services
      .list({ namespace: pod.metadata.namespace })
      .map(({ spec }) => labelSelectorFromMap(spec.selector ?? {}))
      .filter((selector) => selector.requirements.length > 0 && matchesLabels(selector, pod.metadata.labels))
    const requirements = [...behind, ofController(pod)].flatMap((selector) => selector?.requirements ?? [])
    return requirements.length === 0 ? undefined : { requirements }
  }
}
