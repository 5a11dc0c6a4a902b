/**
 * Events: what happened to an object, as its controllers tell it. core/v1 and events.k8s.io/v1 are two views of one
 * thing; it is stored as core/v1.
 */

import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Event, KubernetesObject } from '@dinghy/shared/api/types'
import { requiredOneOf } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

const storage = { group: '', plural: 'events', version: 'v1', convert: convertEvent }

/** Both views have the fields of the other under some name, so either can be read for a selector. */
interface AnyEvent extends KubernetesObject {
  involvedObject?: Event['involvedObject']
  regarding?: Event['involvedObject']
  source?: Event['source']
  reportingComponent?: string
  reportingController?: string
  reason?: string
  type?: string
}

const selectableFields: KindRules<AnyEvent>['selectableFields'] = {
  'involvedObject.kind': (event) => subject(event).kind,
  'involvedObject.namespace': (event) => subject(event).namespace,
  'involvedObject.name': (event) => subject(event).name,
  'involvedObject.uid': (event) => subject(event).uid,
  'involvedObject.apiVersion': (event) => subject(event).apiVersion,
  'involvedObject.resourceVersion': (event) => subject(event).resourceVersion,
  'involvedObject.fieldPath': (event) => subject(event).fieldPath,
  reason: ({ reason }) => reason,
  reportingComponent: (event) => event.reportingComponent ?? event.reportingController,
  source: (event) => event.source?.component || event.reportingComponent,
  type: ({ type }) => type,
}

function subject(event: AnyEvent): NonNullable<AnyEvent['regarding']> {
  return event.involvedObject ?? event.regarding ?? {}
}

export const events: KindRules<Event> = {
  strategy: {
    validate: validateEvent,
    allowCreateOnUpdate: true,
  },
  selectableFields,
  storage,
}

/** Cluster-scoped objects have no namespace; their events go to "default". */
function validateEvent({ metadata, involvedObject, eventTime, type, reason, ...event }: Event): FieldError[] {
  const namespace = involvedObject?.namespace ?? ''
  const fits =
    namespace === '' ? ['default', 'kube-system'].includes(metadata.namespace ?? '') : namespace === metadata.namespace
  const errors = fits ? [] : [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')]
  if (!eventTime) return errors
  // An event with an eventTime is written the new way, and must be complete.
  if (!event.reportingComponent) errors.push(required('reportingController'))
  if (!event.reportingInstance) errors.push(required('reportingInstance'))
  if (!event.action) errors.push(required('action'))
  if (!reason) errors.push(required('reason'))
  return [...errors, ...requiredOneOf('type', type, ['Normal', 'Warning'])]
}

/** Renames what the two versions call differently, in either direction. */
export function convertEvent(object: KubernetesObject, apiVersion: string): KubernetesObject {
  if (object.apiVersion === apiVersion) return object
  const renames = apiVersion === 'v1' ? newToCore : coreToNew
  const entries = Object.entries(object).map(
    ([field, value]) => [renames.get(field) ?? field, value as unknown] as const,
  )
  const converted = Object.fromEntries(entries)
  return { ...converted, apiVersion, kind: 'Event', metadata: object.metadata }
}

const coreToNew = new Map([
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
])
const newToCore = new Map([...coreToNew].map(([core, renamed]) => [renamed, core]))
