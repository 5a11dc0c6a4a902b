/**
 * The listeners of Gateways: which of them can be served, and why others cannot. Pure.
 *
 * Differently from a load balancer that is made for each Gateway, all Gateways share this process' addresses, and so
 * its ports: a port speaks one protocol, that of the oldest Gateway that asks for it.
 */

import { gatewayGroup, type Gateway, type ListenerSpec } from './types.ts'
import { isProblem, type ReferenceView, type RefProblem, resolveCertificate } from './references.ts'

export type RouteKind = 'HTTPRoute' | 'GRPCRoute'

export interface ListenerState {
  gateway: Gateway
  spec: ListenerSpec
  scheme: 'http' | 'https' | undefined
  kinds: RouteKind[]
  /** Why it is not served. */
  refused?: {
    reason: 'UnsupportedProtocol' | 'PortUnavailable' | 'HostnameConflict' | 'ProtocolConflict'
    message: string
  }
  isConflicted: boolean
  refProblem?: RefProblem | { reason: 'InvalidRouteKinds'; message: string }
  /** Keys of Secrets. */
  certificates: string[]
  /** Filled while routes are attached. */
  attachedRoutes: number
}

/** What Ingresses have, and so what Gateways can have at these ports. */
export const wellKnownPorts = [
  [80, 'http'],
  [443, 'https'],
] as const

/** What a port speaks, and for whom. */
interface Speaking {
  scheme: 'http' | 'https'
  gateway?: Gateway
}

export function isServed({ refused, refProblem, scheme, certificates }: ListenerState): boolean {
  if (refused || refProblem?.reason === 'InvalidRouteKinds') return false
  return scheme === 'http' || certificates.length > 0
}

/** `gateways`: ours, oldest first. `portProblem`: why a port cannot be listened on, as far as that was tried. */
export function listenerStates(
  gateways: readonly Gateway[],
  view: ReferenceView,
  portProblem: (port: number) => string | undefined,
): ListenerState[] {
  const schemes = new Map<number, Speaking>(wellKnownPorts.map(([port, scheme]) => [port, { scheme }]))
  return gateways.flatMap((gateway) => {
    const states = gateway.spec.listeners.map((spec) => stateOf(gateway, spec, view))
    for (const state of states) refuse(state, states, schemes, portProblem)
    for (const { spec, scheme, refused } of states) {
      if (scheme && !refused && !schemes.has(spec.port)) schemes.set(spec.port, { scheme, gateway })
    }
    return states
  })
}

function stateOf(gateway: Gateway, spec: ListenerSpec, view: ReferenceView): ListenerState {
  const protocol = spec.protocol.toUpperCase()
  const scheme = protocol === 'HTTP' ? 'http' : protocol === 'HTTPS' ? 'https' : undefined
  const wanted = spec.allowedRoutes?.kinds ?? []
  const all: RouteKind[] = scheme ? ['HTTPRoute', 'GRPCRoute'] : []
  const kinds = all.filter(
    (kind) =>
      wanted.length === 0 || wanted.some((one) => one.kind === kind && (one.group ?? gatewayGroup) === gatewayGroup),
  )
  const unknown = wanted.filter(
    (one) => (one.group ?? gatewayGroup) !== gatewayGroup || !all.includes(one.kind as RouteKind),
  )
  const from = { kind: 'Gateway' as const, namespace: gateway.metadata.namespace ?? '' }
  const refs = scheme === 'https' ? (spec.tls?.certificateRefs ?? []) : []
  const resolved = refs.map((ref) => resolveCertificate(from, ref, view))
  const problem = resolved.find(isProblem)
  return {
    gateway,
    spec,
    scheme,
    kinds,
    isConflicted: false,
    certificates: resolved.filter((one) => typeof one === 'string'),
    attachedRoutes: 0,
    ...(unknown.length > 0
      ? { refProblem: invalidKinds(unknown.map(({ kind }) => kind)) }
      : problem
        ? { refProblem: problem }
        : {}),
  }
}

function invalidKinds(kinds: string[]): { reason: 'InvalidRouteKinds'; message: string } {
  return { reason: 'InvalidRouteKinds', message: `Routes of kind ${kinds.join(', ')} cannot be attached` }
}

function refuse(
  state: ListenerState,
  siblings: readonly ListenerState[],
  schemes: ReadonlyMap<number, Speaking>,
  portProblem: (port: number) => string | undefined,
): void {
  const { spec, scheme } = state
  if (!scheme || spec.tls?.mode === 'Passthrough') {
    const what = spec.tls?.mode === 'Passthrough' ? 'TLS passthrough' : `Protocol ${spec.protocol}`
    state.refused = { reason: 'UnsupportedProtocol', message: `${what} is not supported` }
    return
  }
  const others = siblings.filter((one) => one !== state && one.spec.port === spec.port)
  const isProtocols = others.some((one) => one.scheme !== scheme)
  const isHostnames = others.some((one) => (one.spec.hostname ?? '') === (spec.hostname ?? ''))
  const before = schemes.get(spec.port)
  if (isProtocols || (before && before.scheme !== scheme)) {
    const who = before?.gateway && before.scheme !== scheme ? ` for Gateway ${nameOf(before.gateway)}` : ''
    state.isConflicted = true
    state.refused = { reason: 'ProtocolConflict', message: `Port ${spec.port} speaks another protocol${who}` }
  } else if (isHostnames) {
    state.isConflicted = true
    state.refused = {
      reason: 'HostnameConflict',
      message: `Another listener has port ${spec.port} and the same hostname`,
    }
  } else {
    const problem = portProblem(spec.port)
    if (problem !== undefined) state.refused = { reason: 'PortUnavailable', message: problem }
  }
}

export function nameOf({ metadata }: Gateway): string {
  return `${metadata.namespace}/${metadata.name}`
}
