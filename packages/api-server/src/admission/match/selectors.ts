/**
 * Whether the object and the namespace of a request are what a webhook or policy selects. Follows
 * k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/{namespace,object}.
 */

import { notFound } from '@dinghy/shared/api/errors'
import { Namespaces } from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels, type Selector } from '@dinghy/shared/api/selectors'
import type { KubernetesObject, LabelSelector } from '@dinghy/shared/api/types'
import { type AdmissionRequest, isAbout } from '../../registry/admission.ts'
import { isEmptySelector } from '../../registry/kinds/checks.ts'
import type { Reader } from '../../registry/reader.ts'

export interface Selectors {
  /** Undefined selects everything. */
  namespaces: Selector | undefined
  objects: Selector | undefined
}

export function parseSelectors(
  namespaceSelector: LabelSelector | undefined,
  objectSelector: LabelSelector | undefined,
): Selectors {
  const parse = (selector: LabelSelector | undefined) =>
    isEmptySelector(selector) ? undefined : labelSelectorFrom(selector)
  return { namespaces: parse(namespaceSelector), objects: parse(objectSelector) }
}

/** Throws NotFound if the namespace is needed and not there. */
export function matchesSelectors(
  { namespaces, objects }: Selectors,
  request: AdmissionRequest,
  reader: Reader,
): boolean {
  if (objects && !hasLabels(request.object, objects) && !hasLabels(request.previous, objects)) return false
  if (!namespaces) return true
  const namespace = namespaceOf(request)
  if (namespace === undefined) return true
  return matchesLabels(namespaces, namespaceObject(request, reader, namespace)?.metadata.labels)
}

function hasLabels(object: KubernetesObject | undefined, selector: Selector): boolean {
  // What is sent to connect (PodExecOptions) has no metadata.
  const metadata: KubernetesObject['metadata'] | undefined = object?.metadata
  return metadata !== undefined && matchesLabels(selector, metadata.labels)
}

/** The namespace that a request is in; a namespace is in itself, as upstream has it. */
export function namespaceOf(request: AdmissionRequest): string | undefined {
  const { definition, namespace, name } = request
  return definition.group === '' && definition.plural === 'namespaces' ? name : namespace
}

/** A namespace that is being made or changed is seen as it will be. Throws NotFound. */
function namespaceObject(request: AdmissionRequest, reader: Reader, name: string): KubernetesObject | undefined {
  const isWritten = request.operation === 'CREATE' || request.operation === 'UPDATE'
  if (isWritten && isAbout(request, '', 'namespaces')) return request.object
  const found = reader.get(Namespaces, undefined, name)
  if (!found) throw notFound('', 'namespaces', name)
  return found
}
