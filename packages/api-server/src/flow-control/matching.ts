/**
 * Which FlowSchema a request belongs to, and to which flow within it. Pure. Follows
 * k8s.io/apiserver/pkg/util/flowcontrol/rule.go.
 */

import type { FlowSchema } from '@dinghy/shared/api/types'
import type { NonResourcePolicyRule, ResourcePolicyRule, Subject } from 'kubernetes-types/flowcontrol/v1.js'
import type { UserInfo } from '../auth/user.ts'

/** What is looked at of a request. */
export interface FlowRequest {
  user: UserInfo
  verb: string
  isResource: boolean
  path: string
  group: string
  resource: string
  subresource: string | undefined
  namespace: string | undefined
  version: string
  name: string | undefined
}

/** In the order in which they are tried. */
export function byPrecedence(schemas: readonly FlowSchema[]): FlowSchema[] {
  return [...schemas].sort(
    (a, b) =>
      (a.spec.matchingPrecedence ?? 1000) - (b.spec.matchingPrecedence ?? 1000) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  )
}

/** What a schema says of one user: all that is left to look at is what the user asks for. */
export interface SchemaOfUser {
  schema: FlowSchema
  resourceRules: readonly ResourcePolicyRule[]
  nonResourceRules: readonly NonResourcePolicyRule[]
}

/** Undefined if it says nothing of this user. */
export function schemaOfUser(schema: FlowSchema, user: UserInfo): SchemaOfUser | undefined {
  const rules = (schema.spec.rules ?? []).filter(({ subjects }) => subjects.some((one) => matchesSubject(one, user)))
  if (rules.length === 0) return undefined
  return {
    schema,
    resourceRules: rules.flatMap(({ resourceRules = [] }) => resourceRules),
    nonResourceRules: rules.flatMap(({ nonResourceRules = [] }) => nonResourceRules),
  }
}

export function matchesSchema({ resourceRules, nonResourceRules }: SchemaOfUser, request: FlowRequest): boolean {
  return request.isResource
    ? resourceRules.some((rule) => matchesResource(rule, request))
    : nonResourceRules.some((rule) => matchesPath(rule, request))
}

/** What requests of one flow have in common: their user, their namespace, or nothing. */
export function flowOf({ metadata, spec }: FlowSchema, { user, namespace }: FlowRequest): string {
  switch (spec.distinguisherMethod?.type) {
    case 'ByUser':
      return `${metadata.name}\0${user.username}`
    case 'ByNamespace':
      return `${metadata.name}\0${namespace ?? ''}`
    default:
      return metadata.name
  }
}

/** The part of the flow that tells it from others of its schema. */
export function distinguisherOf(flow: string): string {
  return flow.split('\0')[1] ?? ''
}

function matchesSubject(subject: Subject, { username, groups }: UserInfo): boolean {
  const { user, group, serviceAccount } = subject
  if (user) return user.name === '*' || user.name === username
  if (group) return group.name === '*' || groups.includes(group.name)
  if (!serviceAccount) return false
  const prefix = `system:serviceaccount:${serviceAccount.namespace}:`
  return serviceAccount.name === '*' ? username.startsWith(prefix) : username === prefix + serviceAccount.name
}

function matchesResource(rule: ResourcePolicyRule, request: FlowRequest): boolean {
  const { verb, group, resource, subresource, namespace } = request
  const what = subresource === undefined ? resource : `${resource}/${subresource}`
  return (
    includes(rule.verbs, verb) &&
    includes(rule.apiGroups, group) &&
    includes(rule.resources, what) &&
    (namespace === undefined ? rule.clusterScope === true : includes(rule.namespaces ?? [], namespace))
  )
}

function matchesPath({ verbs, nonResourceURLs }: NonResourcePolicyRule, { verb, path }: FlowRequest): boolean {
  return (
    includes(verbs, verb) &&
    nonResourceURLs.some((url) => url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))))
  )
}

function includes(list: readonly string[], wanted: string): boolean {
  return list.includes('*') || list.includes(wanted)
}
