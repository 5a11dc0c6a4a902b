/**
 * What an Ingress is told: where it is served (status.loadBalancer), and by events what of it cannot be. Pure.
 *
 * The words are ingress-nginx', which people search for; there they stand in its log, here where `kubectl describe`
 * shows them.
 */

import { sameJson } from '@dinghy/shared/api/same-json'
import type { Ingress, Service } from '@dinghy/shared/api/types'
import { servicePort } from '../routing/service-endpoints.ts'
import { serviceRef } from '../routing/ingress-routes.ts'

/** The same object when there is nothing to write. Addresses that are not ours are left to whoever wrote them. */
export function ingressStatus({ status }: Ingress, isOurs: boolean, addresses: readonly string[]): Ingress['status'] {
  const before = status.loadBalancer?.ingress ?? []
  const ours = addresses.map((ip) => ({ ip }))
  const isMarked = before.some(({ ip }) => ip !== undefined && addresses.includes(ip))
  const after = isOurs ? ours : isMarked ? [] : before
  if (sameJson(before, after)) return status
  return { ...status, loadBalancer: after.length > 0 ? { ingress: after } : {} }
}

export interface Problem {
  reason: string
  message: string
}

export function ingressProblems(
  { metadata, spec }: Ingress,
  service: (key: string) => Service | undefined,
  certificateProblem: (secretKey: string) => string | undefined,
): Problem[] {
  const namespace = metadata.namespace ?? ''
  const backends = [
    ...(spec.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend)),
    ...(spec.defaultBackend ? [spec.defaultBackend] : []),
  ]
  const ofBackends = backends.flatMap((backend): Problem[] => {
    const ref = serviceRef(namespace, backend)
    if (!ref) return [{ reason: 'InvalidBackend', message: 'A backend that is no Service is not supported' }]
    const found = service(ref.service)
    const what = `Error obtaining Endpoints for Service "${ref.service}"`
    if (!found) {
      const message = `${what}: no object matching key "${ref.service}" in local store`
      return [{ reason: 'ServiceNotFound', message }]
    }
    if (servicePort(found, ref.port)) return []
    return [{ reason: 'ServicePortNotFound', message: `${what}: service "${ref.service}" has no port ${ref.port}` }]
  })
  const ofSecrets = (spec.tls ?? []).flatMap(({ secretName }): Problem[] => {
    const key = `${namespace}/${secretName}`
    const problem = secretName ? certificateProblem(key) : undefined
    if (problem === undefined) return []
    const message = `Error getting SSL certificate "${key}": ${problem}. Using default certificate`
    return [{ reason: 'CertificateNotUsed', message }]
  })
  const all = [...ofBackends, ...ofSecrets]
  return all.filter(({ message }, index) => all.findIndex((one) => one.message === message) === index)
}
