/**
 * What stands in the statuses of the Gateway API's objects. Pure: the object as it is and what became of it in, the
 * status as it should be out; the same object when nothing has changed. Types, reasons and their meanings are
 * upstream's.
 */

import { setCondition } from '@dinghy/shared/api/conditions'
import { sameJson } from '@dinghy/shared/api/same-json'
import { controllerName } from '../routing/ingress-routes.ts'
import type { AnyRoute, Attachment } from './attachment.ts'
import { isServed, type ListenerState } from './listeners.ts'
import { type Condition, type Gateway, type GatewayClass, gatewayGroup, type ListenerStatus } from './types.ts'
import type { RouteParentStatus } from './types.ts'

type Finding = [type: string, isTrue: boolean, reason: string, message: string]

/** The version of the API that the CRDs are of. */
export const bundleVersion = 'v1.3.0'

function withFindings(
  before: Condition[] | undefined,
  findings: Finding[],
  generation: number | undefined,
  now: string,
): Condition[] {
  return findings.reduce<Condition[]>(
    (conditions, [type, isTrue, reason, message]) =>
      setCondition(
        conditions,
        {
          type,
          status: isTrue ? 'True' : 'False',
          reason,
          message,
          ...(generation === undefined ? {} : { observedGeneration: generation }),
        },
        now,
      ),
    before ?? [],
  )
}

export function gatewayClassStatus({ metadata, status }: GatewayClass, now: string): GatewayClass['status'] {
  const findings: Finding[] = [
    ['Accepted', true, 'Accepted', 'GatewayClass is accepted'],
    ['SupportedVersion', true, 'SupportedVersion', `Gateway API CRDs are of version ${bundleVersion}`],
  ]
  return kept(status, { ...status, conditions: withFindings(status.conditions, findings, metadata.generation, now) })
}

/** `addresses`: where this process can be reached. */
export function gatewayStatus(
  { metadata, spec, status }: Gateway,
  states: readonly ListenerState[],
  addresses: readonly string[],
  now: string,
): Gateway['status'] {
  const { generation } = metadata
  const served = states.filter(isServed)
  const foreign = (spec.addresses ?? []).filter(({ value }) => value && !addresses.includes(value))
  const isPartly = states.some(({ refused }) => refused)
  const isAccepted = states.some(({ refused }) => !refused)
  const isProgrammed = served.length > 0 && foreign.length === 0
  const findings: Finding[] = [
    isPartly
      ? ['Accepted', isAccepted, 'ListenersNotValid', refusedText(states)]
      : ['Accepted', true, 'Accepted', 'Gateway is accepted'],
    foreign.length > 0
      ? ['Programmed', false, 'AddressNotUsable', `Addresses that can be had: ${addresses.join(', ')}`]
      : isProgrammed
        ? ['Programmed', true, 'Programmed', 'Gateway is served']
        : ['Programmed', false, 'Invalid', 'No listener of the Gateway can be served'],
  ]
  const listeners = states.map((state): ListenerStatus => {
    const before = status.listeners?.find(({ name }) => name === state.spec.name)
    return {
      name: state.spec.name,
      supportedKinds: state.kinds.map((kind) => ({ group: gatewayGroup, kind })),
      attachedRoutes: state.attachedRoutes,
      conditions: withFindings(before?.conditions, listenerFindings(state), generation, now),
    }
  })
  // What is not served is nowhere.
  const { addresses: _before, ...rest } = status
  return kept(status, {
    ...rest,
    ...(isProgrammed ? { addresses: addresses.map((value) => ({ type: 'IPAddress', value })) } : {}),
    conditions: withFindings(status.conditions, findings, generation, now),
    listeners,
  })
}

function refusedText(states: readonly ListenerState[]): string {
  const refused = states.flatMap(({ spec, refused: why }) => (why ? [`${spec.name}: ${why.message}`] : []))
  return `Listeners that cannot be served: ${refused.join('; ')}`
}

function listenerFindings(state: ListenerState): Finding[] {
  const { refused, refProblem, isConflicted } = state
  return [
    refused
      ? ['Accepted', false, isConflicted ? 'PortUnavailable' : refused.reason, refused.message]
      : ['Accepted', true, 'Accepted', 'Listener is accepted'],
    refused && isConflicted
      ? ['Conflicted', true, refused.reason, refused.message]
      : ['Conflicted', false, 'NoConflicts', 'Listener has no conflicts'],
    refProblem
      ? ['ResolvedRefs', false, refProblem.reason, refProblem.message]
      : ['ResolvedRefs', true, 'ResolvedRefs', 'All references are resolved'],
    isServed(state)
      ? ['Programmed', true, 'Programmed', 'Listener is served']
      : ['Programmed', false, 'Invalid', refused?.message ?? refProblem?.message ?? 'Listener has no certificate'],
  ]
}

/** Entries of other controllers stay as they are. */
export function routeStatus(
  { metadata, status }: AnyRoute,
  attachments: readonly Attachment[],
  now: string,
): AnyRoute['status'] {
  const before = status.parents ?? []
  const ours = attachments.map(({ parentRef, accepted, resolved }): RouteParentStatus => {
    const same = before.find((one) => one.controllerName === controllerName && sameJson(one.parentRef, parentRef))
    const findings: Finding[] = [
      ['Accepted', accepted.isTrue, accepted.reason, accepted.message],
      ['ResolvedRefs', resolved.isTrue, resolved.reason, resolved.message],
    ]
    return { parentRef, controllerName, conditions: withFindings(same?.conditions, findings, metadata.generation, now) }
  })
  const others = before.filter((one) => one.controllerName !== controllerName)
  return kept(status, { ...status, parents: [...others, ...ours] })
}

function kept<T>(before: T, after: T): T {
  return sameJson(before, after) ? before : after
}
