/**
 * Which routes are attached to which listeners, and what becomes of each: the routes that are served, and what their
 * statuses say. Pure.
 *
 * A parentRef picks listeners by section name and port; a listener allows kinds and namespaces; hostnames of both must
 * intersect. The reasons are upstream's, and so is their order: the first step that leaves no listener is the one that
 * is told.
 */

import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { ListenerHost, Route } from '../routing/model.ts'
import { isServed, type ListenerState, nameOf, type RouteKind } from './listeners.ts'
import type { RouteRules } from './route-rules.ts'
import { type Gateway, gatewayGroup, type HttpRoute, type ParentRef } from './types.ts'

/** What HTTPRoute and GRPCRoute have in common. */
export type AnyRoute = Pick<HttpRoute, 'metadata' | 'status'> & {
  spec: Pick<HttpRoute['spec'], 'parentRefs' | 'hostnames'>
}

export interface Attachment {
  parentRef: ParentRef
  accepted: { isTrue: boolean; reason: string; message: string }
  resolved: { isTrue: boolean; reason: string; message: string }
}

export interface AttachmentView {
  /** Of a namespace; undefined if there is none. */
  labels: (namespace: string) => Record<string, string> | undefined
}

/** Counts the route at each listener that it comes to. Undefined parents are not ours, and we say nothing of them. */
export function attach(
  route: AnyRoute,
  kind: RouteKind,
  rules: RouteRules,
  states: readonly ListenerState[],
  view: AttachmentView,
): { attachments: Attachment[]; routes: Route[] } {
  const attachments: Attachment[] = []
  const routes: Route[] = []
  const counted = new Set<ListenerState>()
  const { refProblems, unsupported } = rules
  const [problem] = refProblems
  const resolved = problem
    ? { isTrue: false, reason: problem.reason, message: refProblems.map(({ message }) => message).join('; ') }
    : { isTrue: true, reason: 'ResolvedRefs', message: 'All references are resolved' }
  for (const parentRef of route.spec.parentRefs ?? []) {
    const gateway = gatewayOf(parentRef, route, states)
    if (!gateway) continue
    const chosen = chooseListeners(
      route,
      kind,
      parentRef,
      states.filter((one) => one.gateway === gateway),
      view,
    )
    if ('reason' in chosen) {
      attachments.push({ parentRef, accepted: { isTrue: false, ...chosen }, resolved })
      continue
    }
    if (unsupported.length > 0) {
      const accepted = { isTrue: false, reason: 'UnsupportedValue', message: unsupported.join('; ') }
      attachments.push({ parentRef, accepted, resolved })
      continue
    }
    for (const { state, hosts } of chosen.listeners) {
      if (counted.has(state)) continue
      counted.add(state)
      state.attachedRoutes += 1
      const listener = { gateway: nameOf(gateway), name: state.spec.name }
      if (!isServed(state)) continue
      for (const host of hosts) {
        for (const rule of rules.rules) routes.push({ ...rule, ports: [state.spec.port], host, listener })
      }
    }
    const accepted = { isTrue: true, reason: 'Accepted', message: 'Route is accepted' }
    attachments.push({ parentRef, accepted, resolved })
  }
  return { attachments, routes }
}

function gatewayOf(parentRef: ParentRef, route: AnyRoute, states: readonly ListenerState[]): Gateway | undefined {
  const { group = gatewayGroup, kind = 'Gateway', namespace = route.metadata.namespace ?? '', name } = parentRef
  if (group !== gatewayGroup || kind !== 'Gateway') return undefined
  return states.find(({ gateway }) => nameOf(gateway) === `${namespace}/${name}`)?.gateway
}

type Chosen = { reason: string; message: string } | { listeners: { state: ListenerState; hosts: string[] }[] }

function chooseListeners(
  route: AnyRoute,
  kind: RouteKind,
  { sectionName, port }: ParentRef,
  all: readonly ListenerState[],
  view: AttachmentView,
): Chosen {
  const named = all.filter(
    ({ spec }) =>
      (sectionName === undefined || spec.name === sectionName) && (port === undefined || spec.port === port),
  )
  if (named.length === 0) {
    return { reason: 'NoMatchingParent', message: 'No listener of the Gateway has this section name and port' }
  }
  const allowed = named.filter((state) => state.kinds.includes(kind) && allowsNamespace(state, route, view))
  if (allowed.length === 0) {
    return { reason: 'NotAllowedByListeners', message: 'No listener allows routes of this kind and namespace' }
  }
  const listeners = allowed
    .map((state) => ({ state, hosts: hostsBetween(state.spec.hostname ?? '', route.spec.hostnames ?? []) }))
    .filter(({ hosts }) => hosts.length > 0)
  if (listeners.length === 0) {
    return { reason: 'NoMatchingListenerHostname', message: 'No hostname of the route intersects with a listener' }
  }
  return { listeners }
}

function allowsNamespace({ spec, gateway }: ListenerState, route: AnyRoute, view: AttachmentView): boolean {
  const { from = 'Same', selector } = spec.allowedRoutes?.namespaces ?? {}
  const namespace = route.metadata.namespace ?? ''
  if (from === 'All') return true
  if (from === 'Same') return namespace === gateway.metadata.namespace
  const labels = view.labels(namespace)
  return from === 'Selector' && labels !== undefined && matchesLabels(labelSelectorFrom(selector), labels)
}

/** The more specific of each two that have something in common. None of the route's: the listener's own. */
export function hostsBetween(listener: string, hostnames: readonly string[]): string[] {
  if (hostnames.length === 0) return [listener]
  return hostnames.flatMap((hostname) => {
    if (listener === '' || listener === hostname) return [hostname]
    if (covers(listener, hostname)) return [hostname]
    return covers(hostname, listener) ? [listener] : []
  })
}

/** "*.example" covers "a.example", "a.b.example" and "*.b.example". */
function covers(wildcard: string, hostname: string): boolean {
  const suffix = wildcard.slice(1)
  return wildcard.startsWith('*.') && hostname.endsWith(suffix) && hostname.replace(/^\*/, '').length > suffix.length
}

export function listenerHosts(states: readonly ListenerState[]): ListenerHost[] {
  return states.filter(isServed).map(({ gateway, spec }) => ({
    gateway: nameOf(gateway),
    name: spec.name,
    port: spec.port,
    hostname: spec.hostname ?? '',
  }))
}
