/**
 * API groups below k8s.io and kubernetes.io are the community's: whoever defines a kind in one says by an annotation
 * where that was agreed, or that it was not.
 */

import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { CustomResourceDefinition } from '@dinghy/shared/api/types'
import type { CustomResourceDefinitionCondition } from 'kubernetes-types/apiextensions/v1.js'

const annotation = 'api-approved.kubernetes.io'
const reference = 'see https://github.com/kubernetes/enhancements/pull/1111'

export function validateApproval(next: CustomResourceDefinition, previous?: CustomResourceDefinition): FieldError[] {
  if (!isProtected(next)) return []
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

/** The condition of a definition in such a group; undefined in any other. */
export function approvalCondition(definition: CustomResourceDefinition): CustomResourceDefinitionCondition | undefined {
  if (!isProtected(definition)) return undefined
  const type = 'KubernetesAPIApprovalPolicyConformant'
  const value = definition.metadata.annotations?.[annotation] ?? ''
  switch (approvalOf(definition)) {
    case 'approved':
      return { type, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${value}` }
    case 'bypassed':
      return {
        type,
        status: 'False',
        reason: 'UnapprovedAnnotation',
        message: `not approved: ${JSON.stringify(value)}`,
      }
    case 'missing': {
      const message = `protected groups must have approval annotation "${annotation}", ${reference}`
      return { type, status: 'False', reason: 'MissingAnnotation', message }
    }
    default: {
      const message = `protected groups must have approval annotation "${annotation}" with either a URL or a reason starting with "unapproved", ${reference}`
      return { type, status: 'False', reason: 'InvalidAnnotation', message }
    }
  }
}

function isProtected({ spec }: CustomResourceDefinition): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(spec.group ?? '')
}

function approvalOf({ metadata }: CustomResourceDefinition): 'missing' | 'bypassed' | 'approved' | 'invalid' {
  const value = metadata.annotations?.[annotation]
  if (!value) return 'missing'
  if (value.startsWith('unapproved')) return 'bypassed'
  return URL.canParse(value) && new URL(value).host !== '' ? 'approved' : 'invalid'
}
