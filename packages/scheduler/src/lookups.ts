/**
 * Lookups over informers: what plugins need to know of objects other than pods and nodes.
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
} from '@dinghy/shared/api/resources'
import { labelSelectorFrom, labelSelectorFromMap, matchesLabels, type Selector } from '@dinghy/shared/api/selectors'
import type { Pod } from '@dinghy/shared/api/types'
import type { Informers } from '@dinghy/shared/client/informer'
import type { Lookups } from './snapshot.ts'

export function informerLookups(informers: Informers): Lookups {
  const namespaces = informers.for(Namespaces).lister
  const claims = informers.for(PersistentVolumeClaims).lister
  const volumes = informers.for(PersistentVolumes).lister
  const storageClasses = informers.for(StorageClasses).lister
  const siblings = siblingLookup(informers)
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
function siblingLookup(informers: Informers): (pod: Pod) => Selector | undefined {
  const services = informers.for(Services).lister
  const replicaSets = informers.for(ReplicaSets).lister
  const statefulSets = informers.for(StatefulSets).lister
  const replicationControllers = informers.for(ReplicationControllers).lister

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
