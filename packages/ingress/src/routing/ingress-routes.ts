/**
 * What Ingresses ask for: routes, certificates, and what is wrong with them. Pure.
 *
 * As upstream: an Ingress is ours by its class, or by the annotation that came before classes, or by naming none while
 * ours is the default. "ImplementationSpecific" is "Prefix". Where two Ingresses want the same host and path, the older
 * has it. Rules are served at port 80 and at port 443, with or without a certificate; nobody is sent from one to the
 * other, since the API has no word for that (docs/ingress.md).
 */

import type { Ingress, IngressClass } from '@dinghy/shared/api/types'
import type { Route, ServicePortRef } from './model.ts'
import { pathMatch } from './route-match.ts'

export const controllerName = 'dinghy.dev/ingress'
const classAnnotation = 'kubernetes.io/ingress.class'
const defaultAnnotation = 'ingressclass.kubernetes.io/is-default-class'

const httpPort = 80
const httpsPort = 443

/** Which certificate to show to whom. */
export interface CertificateUse {
  port: number
  /** "" is any name. */
  host: string
  wildcardLabels: Route['wildcardLabels']
  /** "namespace/name" */
  secret: string
  /** Of two that want the same host, the older has it. */
  createdAt: string
}

export interface IngressRoutes {
  routes: Route[]
  certificates: CertificateUse[]
}

export function isOurs({ metadata, spec }: Ingress, classes: readonly IngressClass[]): boolean {
  const ours = classes.filter((one) => one.spec.controller === controllerName)
  const named = spec.ingressClassName ?? metadata.annotations?.[classAnnotation]
  return ours.some((one) =>
    named === undefined ? one.metadata.annotations?.[defaultAnnotation] === 'true' : one.metadata.name === named,
  )
}

export function ingressRoutes(ingress: Ingress): IngressRoutes {
  const { metadata, spec } = ingress
  const { creationTimestamp: createdAt } = metadata
  const namespace = metadata.namespace ?? ''
  const source = (rule: number) => ({ kind: 'Ingress' as const, namespace, name: metadata.name, rule, createdAt })
  const common = {
    ports: [httpPort, httpsPort],
    wildcardLabels: 'one' as const,
    headers: [],
    query: [],
    filters: [],
  }
  const to = (target: ServicePortRef | undefined) => [{ target, weight: 1, filters: [] }]
  const paths = (spec.rules ?? []).flatMap(({ host = '', http }) =>
    (http?.paths ?? []).map(({ path = '', pathType, backend }) => ({ host, path, pathType, backend })),
  )
  const routes = paths.map(({ host, path, pathType, backend }, rule): Route => ({
    ...common,
    source: source(rule),
    host: host.toLowerCase(),
    path: pathMatch(pathType === 'Exact' ? 'Exact' : 'Prefix', path),
    isDefault: false,
    backends: to(serviceRef(namespace, backend)),
  }))
  const fallback = spec.defaultBackend && {
    ...common,
    source: source(paths.length),
    host: '',
    path: pathMatch('Prefix', ''),
    isDefault: true,
    backends: to(serviceRef(namespace, spec.defaultBackend)),
  }
  return { routes: fallback ? [...routes, fallback] : routes, certificates: certificatesOf(ingress) }
}

function certificatesOf({ metadata, spec }: Ingress): CertificateUse[] {
  const ofRules = [...new Set((spec.rules ?? []).map(({ host = '' }) => host))]
  return (spec.tls ?? []).flatMap(({ hosts, secretName }) =>
    (hosts?.length ? hosts : ofRules).flatMap((host) =>
      secretName
        ? {
            port: httpsPort,
            host: host.toLowerCase(),
            wildcardLabels: 'one' as const,
            secret: `${metadata.namespace}/${secretName}`,
            createdAt: metadata.creationTimestamp,
          }
        : [],
    ),
  )
}

type Backend = NonNullable<Ingress['spec']['defaultBackend']>

/** A backend that is a resource and no Service has no target: we know no other kinds. */
export function serviceRef(namespace: string, { service }: Backend): ServicePortRef | undefined {
  const port = service?.port?.number ?? service?.port?.name
  return service && port !== undefined ? { service: `${namespace}/${service.name}`, port } : undefined
}
