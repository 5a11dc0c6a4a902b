/**
 * What objects of the Gateway API point at: whether they may, and whether it is there. Pure.
 */

import type { Service } from '@dinghy/shared/api/types'
import type { ServicePortRef } from '../routing/model.ts'
import { backendProtocol, servicePort } from '../routing/service-endpoints.ts'
import { type BackendRefSpec, gatewayGroup, type ObjectRef, type ReferenceGrant } from './types.ts'

/** Why a reference cannot be followed: upstream's reasons. */
export interface RefProblem {
  reason: 'InvalidKind' | 'RefNotPermitted' | 'BackendNotFound' | 'UnsupportedProtocol' | 'InvalidCertificateRef'
  message: string
}

export interface Referrer {
  kind: 'Gateway' | 'HTTPRoute' | 'GRPCRoute'
  namespace: string
}

/** Inside a namespace everything may; across, only what a ReferenceGrant of the other namespace names. */
export function isPermitted(
  from: Referrer,
  to: { group: string; kind: string; namespace: string; name: string },
  grants: readonly ReferenceGrant[],
): boolean {
  if (from.namespace === to.namespace) return true
  return grants.some(
    ({ metadata, spec }) =>
      metadata.namespace === to.namespace &&
      spec.from.some(
        (one) => one.group === gatewayGroup && one.kind === from.kind && one.namespace === from.namespace,
      ) &&
      spec.to.some(
        (one) => one.group === to.group && one.kind === to.kind && (one.name === undefined || one.name === to.name),
      ),
  )
}

export interface ReferenceView {
  grants: readonly ReferenceGrant[]
  service: (key: string) => Service | undefined
  /** Why the Secret cannot be used for TLS; undefined: it can. */
  certificateProblem: (secretKey: string) => string | undefined
}

export function resolveBackend(from: Referrer, ref: BackendRefSpec, view: ReferenceView): ServicePortRef | RefProblem {
  const { group = '', kind = 'Service', namespace = from.namespace, name, port } = ref
  const key = `${namespace}/${name}`
  if (group !== '' || kind !== 'Service') {
    return { reason: 'InvalidKind', message: `Group ${JSON.stringify(group)} and kind ${kind} are not supported` }
  }
  if (!isPermitted(from, { group, kind, namespace, name }, view.grants)) {
    return {
      reason: 'RefNotPermitted',
      message: `Backend ref to Service ${key} is not permitted by any ReferenceGrant`,
    }
  }
  const service = view.service(key)
  if (!service) return { reason: 'BackendNotFound', message: `Service ${key} does not exist` }
  const found = port === undefined ? undefined : servicePort(service, port)
  if (port === undefined || !found) {
    return { reason: 'BackendNotFound', message: `Service ${key} has no port ${port ?? ''}`.trim() }
  }
  if (!backendProtocol(found.appProtocol)) {
    const message = `Port ${port} of Service ${key} speaks ${found.appProtocol}, which is not supported`
    return { reason: 'UnsupportedProtocol', message }
  }
  return { service: key, port }
}

export function resolveCertificate(from: Referrer, ref: ObjectRef, view: ReferenceView): string | RefProblem {
  const { group = '', kind = 'Secret', namespace = from.namespace, name } = ref
  const key = `${namespace}/${name}`
  if (group !== '' || kind !== 'Secret') {
    return { reason: 'InvalidCertificateRef', message: `Group ${JSON.stringify(group)} and kind ${kind} are no Secret` }
  }
  if (!isPermitted(from, { group, kind, namespace, name }, view.grants)) {
    return { reason: 'RefNotPermitted', message: `Secret ${key} is not permitted by any ReferenceGrant` }
  }
  const problem = view.certificateProblem(key)
  return problem === undefined ? key : { reason: 'InvalidCertificateRef', message: problem }
}

export function isProblem(value: object | string): value is RefProblem {
  return typeof value === 'object' && 'reason' in value
}
