/**
 * The parameters that a binding gives to its policy: objects of the policy's paramKind, by name or by labels. Follows
 * k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go.
 */

import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ParamKind, ParamRef } from 'kubernetes-types/admissionregistration/v1.js'
import type { Reader } from '../../registry/reader.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { inVersionOf, type Resources } from '../../registry/resources.ts'

/** The policy or its binding cannot be followed as it is. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/** Throws ConfigurationError if this server has no such kind. */
export function definitionOfParams(
  { apiVersion = '', kind = '' }: ParamKind,
  resources: Resources,
): ResourceDefinition {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  const found = resources
    .all()
    .find((definition) => definition.group === group && definition.version === version && definition.kind === kind)
  if (found) return found
  throw new ConfigurationError(`failed to find resource referenced by paramKind: '${apiVersion}, Kind=${kind}'`)
}

/** Undefined stands for "without a parameter". An empty list: there is none, and that is fine. */
export function collectParams(
  definition: ResourceDefinition | undefined,
  ref: ParamRef | undefined,
  namespace: string | undefined,
  reader: Reader,
): (KubernetesObject | undefined)[] {
  if (!definition || !ref) return [undefined]
  const found = find(reader.listAt(definition.storage, namespaceOfParams(definition, ref, namespace)), ref)
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny') {
    throw new ConfigurationError('no params found for policy binding with `Deny` parameterNotFoundAction')
  }
  return found.map((object) => inVersionOf(definition, object))
}

function namespaceOfParams(
  { namespaced }: ResourceDefinition,
  ref: ParamRef,
  namespace: string | undefined,
): string | undefined {
  if (!namespaced) {
    if (!ref.namespace) return undefined
    throw new ConfigurationError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`')
  }
  const wanted = ref.namespace || namespace
  if (wanted) return wanted
  throw new ConfigurationError('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources')
}

function find(objects: KubernetesObject[], { name, selector }: ParamRef): KubernetesObject[] {
  if (name) return objects.filter(({ metadata }) => metadata.name === name)
  const selected = labelSelectorFrom(selector)
  return objects.filter(({ metadata }) => matchesLabels(selected, metadata.labels))
}
