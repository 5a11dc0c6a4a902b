/**
 * API groups below k8s.io and kubernetes.io are the community's: whoever defines a kind in one says by an annotation
 * where that was agreed, or that it was not.
 */

import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { CustomResourceDefinition } from '@dinghy/shared/api/types'

const annotation = 'api-approved.kubernetes.io'
const reference = 'see https://github.com/kubernetes/enhancements/pull/1111'

export function validateApproval(next: CustomResourceDefinition, previous?: CustomResourceDefinition): FieldError[] {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(next.spec.group ?? '')) return []
  const state = approvalOf(next)
  if (previous && approvalOf(previous) === state) return [] // what was stored may stay as it is
  const path = `metadata.annotations[${annotation}]`
  if (state === 'missing') {
    return [required(path, `protected groups must have approval annotation "${annotation}", ${reference}`)]
  }
  if (state !== 'invalid') return []
  const detail = `protected groups must have approval annotation "${annotation}" with either a URL or a reason starting with "unapproved", ${reference}`
  return [invalid(path, next.metadata.annotations?.[annotation], detail)]
}

function approvalOf({ metadata }: CustomResourceDefinition): 'missing' | 'bypassed' | 'approved' | 'invalid' {
  const value = metadata.annotations?.[annotation]
  if (!value) return 'missing'
  if (value.startsWith('unapproved')) return 'bypassed'
  return URL.canParse(value) && new URL(value).host !== '' ? 'approved' : 'invalid'
}
