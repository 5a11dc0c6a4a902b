/**
 * What all workloads have in common: a selector that must find the pods their template makes.
 */

import { forbidden, invalid, notSupported, required, StringMap, type FieldError } from '@dinghy/shared/api/field-errors'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { LabelSelector, PodTemplateSpec } from '@dinghy/shared/api/types'
import { isEmptySelector, labelSelector } from './checks.ts'
import { validatePodTemplate } from './pod-spec/pod-spec.ts'

/** `kind` as upstream's messages have it: "deployment", "statefulset". */
export function validateSelector(selector: LabelSelector | undefined, kind: string): FieldError[] {
  if (!selector) return [required('spec.selector')]
  const errors = labelSelector('spec.selector', selector)
  if (isEmptySelector(selector)) {
    errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${kind}`))
  }
  return errors
}

/** For workloads whose pods run forever; `kind` is "ReplicaSet", "DaemonSet", … */
export function validateTemplate(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
  kind: string,
): FieldError[] {
  const path = 'spec.template'
  const errors = [...templateMatches(template, selector), ...validatePodTemplate(template, path)]
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {}
  if (restartPolicy && restartPolicy !== 'Always') {
    errors.push(notSupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']))
  }
  if (activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${kind} is not Supported`
    errors.push(forbidden(`${path}.spec.activeDeadlineSeconds`, detail))
  }
  return errors
}

export function templateMatches(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
): FieldError[] {
  if (!template) return []
  const labels = template.metadata?.labels
  if (selector) {
    // An invalid selector has been reported already, and cannot be evaluated.
    if (isEmptySelector(selector) || labelSelector('', selector).length > 0) return []
    if (matchesLabels(labelSelectorFrom(selector), labels)) return []
  }
  // No selector at all finds no pods, so it does not find these.
  const path = 'spec.template.metadata.labels'
  return [invalid(path, new StringMap(labels), '`selector` does not match template `labels`')]
}
