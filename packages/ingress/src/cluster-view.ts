/**
 * ClusterView: what this process knows of the cluster, by informers.
 *
 * An idle ingress costs three watches: of Ingresses, their classes and Gateways. The others begin when the first
 * Ingress or Gateway is there, and stay.
 */

import { EndpointSlices, IngressClasses, Ingresses, Namespaces, Secrets, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, KubernetesObject, Secret, Service } from '@dinghy/shared/api/types'
import type { Informer, Informers } from '@dinghy/shared/client/informer'
import type { ClusterObjects } from './cluster-model.ts'
import { GatewayClasses, Gateways, GrpcRoutes, HttpRoutes, ReferenceGrants } from './gateway/types.ts'

const serviceNameLabel = 'kubernetes.io/service-name'

export type IdleView = ReturnType<typeof idleView>
export type FullView = ReturnType<typeof fullView>

export function idleView(informers: Informers) {
  return {
    ingresses: informers.for(Ingresses),
    ingressClasses: informers.for(IngressClasses),
    gatewayClasses: informers.for(GatewayClasses),
    gateways: informers.for(Gateways),
  }
}

export function fullView(informers: Informers) {
  const view = {
    ...idleView(informers),
    httpRoutes: informers.for(HttpRoutes),
    grpcRoutes: informers.for(GrpcRoutes),
    grants: informers.for(ReferenceGrants),
    services: informers.for(Services),
    slices: informers.for(EndpointSlices),
    // Of all Secrets those alone that can be certificates.
    secrets: informers.for(Secrets, { fieldSelector: 'type=kubernetes.io/tls' }),
    namespaces: informers.for(Namespaces, { metadataOnly: true }),
  }
  view.slices.addIndex('service', serviceKeysOf)
  return view
}

/** The Service that a slice belongs to, as a key. */
export function serviceKeysOf({ metadata }: EndpointSlice): string[] {
  const name = metadata.labels?.[serviceNameLabel]
  return name === undefined ? [] : [`${metadata.namespace}/${name}`]
}

export function objectsOf(
  view: FullView,
  more: Pick<ClusterObjects, 'certificateProblem' | 'portProblem'>,
): ClusterObjects {
  const all = <T extends KubernetesObject>(informer: Informer<T>) => informer.lister.list()
  return {
    ingresses: all(view.ingresses),
    ingressClasses: all(view.ingressClasses),
    gatewayClasses: all(view.gatewayClasses),
    gateways: all(view.gateways),
    httpRoutes: all(view.httpRoutes),
    grpcRoutes: all(view.grpcRoutes),
    grants: all(view.grants),
    service: (key): Service | undefined => view.services.lister.get(key),
    namespaceLabels: (name) => {
      const namespace = view.namespaces.lister.get(name)
      return namespace && (namespace.metadata.labels ?? {})
    },
    ...more,
  }
}

export function secretOf(view: FullView, key: string): Secret | undefined {
  return view.secrets.lister.get(key)
}
