/**
 * Kinds that are only ever created: questions that are answered at once (reviews), and Bindings in their old place.
 */

import type { ResourceDefinition } from '../registry/resource-definition.ts'
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
} from './access-reviews.ts'
import type { Handler } from './handler.ts'
import { selfSubjectReview, tokenReview } from './reviews.ts'
import { createBinding } from './subresources/binding.ts'

const handlers: Record<string, Handler> = {
  '/bindings': createBinding,
  'authentication.k8s.io/tokenreviews': tokenReview,
  'authentication.k8s.io/selfsubjectreviews': selfSubjectReview,
  'authorization.k8s.io/subjectaccessreviews': subjectAccessReview,
  'authorization.k8s.io/localsubjectaccessreviews': localSubjectAccessReview,
  'authorization.k8s.io/selfsubjectaccessreviews': selfSubjectAccessReview,
  'authorization.k8s.io/selfsubjectrulesreviews': selfSubjectRulesReview,
}

export function createOnlyHandler({ group, plural }: ResourceDefinition): Record<string, Handler> {
  const create = handlers[`${group}/${plural}`]
  return create ? { create } : {}
}
