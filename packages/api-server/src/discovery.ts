/**
 * What this server serves, as clients discover it: pure documents made from the definitions.
 *
 * Three dialects of the same facts. kubectl asks /api and /apis for the aggregated form (v2, or v2beta1 before 1.30),
 * which answers everything in two requests; older clients, client-node, `auth can-i` and `drain` read the legacy lists
 * (/api/v1, /apis, /apis/<group>, /apis/<group>/<version>). Negotiation is http/'s business.
 */

import { createHash } from 'node:crypto'
import type { ResourceDefinition } from './registry/resource-definition.ts'
import type { SubresourceShape } from '@dinghy/shared/schema/schema'

/** A group and version that another server answers for, as it describes itself. */
export interface ExtensionVersion {
  group: string
  version: string
  resources: APIResource[]
}

/** All that a server answers for. */
export interface Served {
  definitions: readonly ResourceDefinition[]
  extensions: readonly ExtensionVersion[]
}

/** A line of an APIResourceList; "pods/log" is a subresource of "pods". */
export interface APIResource {
  name: string
  singularName: string
  namespaced: boolean
  group?: string
  version?: string
  kind: string
  verbs: string[]
  shortNames?: string[]
  categories?: string[]
}

// ---- the aggregated form

export interface APIGroupDiscoveryList {
  kind: 'APIGroupDiscoveryList'
  apiVersion: 'apidiscovery.k8s.io/v2' | 'apidiscovery.k8s.io/v2beta1'
  metadata: Record<string, never>
  items: object[]
}

/** For /api with `group` core, for /apis with the rest. */
export function aggregatedDiscovery(
  served: Served,
  root: 'api' | 'apis',
  version: 'v2' | 'v2beta1',
): APIGroupDiscoveryList {
  const items = groupsOf(served)
    .filter(({ group }) => (root === 'api') === (group === ''))
    .map(({ group, versions }) => ({
      // The core group has no name; upstream writes neither "" nor creationTimestamp away.
      metadata: group === '' ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
      versions: versions.map(({ version, members, extension }) => ({
        version,
        resources: extension ? aggregatedExtension(extension) : members.map(aggregatedResource),
        freshness: 'Current',
      })),
    }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items }
}

function aggregatedExtension({ group, version, resources }: ExtensionVersion): object[] {
  const kindOf = (resource: APIResource) => ({
    group: resource.group ?? group,
    version: resource.version ?? version,
    kind: resource.kind,
  })
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map((resource) => {
      const { name, singularName, namespaced, verbs, shortNames = [], categories = [] } = resource
      const subresources = resources.filter((other) => other.name.startsWith(`${name}/`))
      return {
        resource: name,
        responseKind: kindOf(resource),
        scope: namespaced ? 'Namespaced' : 'Cluster',
        singularResource: singularName,
        verbs,
        ...(shortNames.length > 0 ? { shortNames } : {}),
        ...(categories.length > 0 ? { categories } : {}),
        ...(subresources.length > 0
          ? {
              subresources: subresources.map((sub) => ({
                subresource: sub.name.slice(name.length + 1),
                responseKind: kindOf(sub),
                verbs: sub.verbs,
              })),
            }
          : {}),
      }
    })
}

function aggregatedResource(definition: ResourceDefinition): object {
  const { group, version, kind, plural, singular, namespaced, shortNames, categories, verbs, subresources } = definition
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(subresources.shapes.length > 0
      ? {
          subresources: subresources.shapes.map((sub) => ({
            subresource: sub.name,
            responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
            verbs: sub.verbs,
          })),
        }
      : {}),
  }
}

// ---- the legacy lists

/** GET /api */
export function apiVersions(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  }
}

/** GET /apis */
export function apiGroupList(served: Served): object {
  const groups = groupsOf(served).filter(({ group }) => group !== '')
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroupEntry) }
}

/** GET /apis/<group>; undefined if there is no such group. */
export function apiGroup(served: Served, name: string): object | undefined {
  const group = groupsOf(served).find((candidate) => candidate.group === name)
  return group === undefined || name === ''
    ? undefined
    : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroupEntry(group) }
}

function apiGroupEntry({ group, versions }: Group): object {
  const all = versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions: all, preferredVersion: all[0] }
}

/** GET /api/v1 and /apis/<group>/<version>; undefined if nothing is served there. */
export function apiResourceList(
  definitions: readonly ResourceDefinition[],
  group: string,
  version: string,
): object | undefined {
  const members = definitions.filter((definition) => definition.group === group && definition.version === version)
  if (members.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    // The core list predates apiVersion, and upstream still leaves it out there.
    ...(group !== '' ? { apiVersion: 'v1' } : {}),
    groupVersion: groupVersion(group, version),
    resources: members.flatMap((member) => [
      legacyResource(member),
      ...member.subresources.shapes.map((sub) => legacySubresource(member, sub)),
    ]),
  }
}

function legacyResource(definition: ResourceDefinition): object {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories } = definition
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(verbs.includes('get') ? { storageVersionHash: storageVersionHash(definition) } : {}),
  }
}

/** Tells a client, such as a storage version migrator, that the version which objects are stored in has changed. */
function storageVersionHash({ kind, storage: { group, version } }: ResourceDefinition): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64')
}

/** A subresource of another group says so: `drain` looks for pods/eviction with group policy, version v1. */
function legacySubresource(parent: ResourceDefinition, sub: SubresourceShape): object {
  const foreign = sub.group !== parent.group || sub.version !== parent.version
  return {
    name: `${parent.plural}/${sub.name}`,
    singularName: '',
    namespaced: parent.namespaced,
    ...(foreign ? { group: sub.group, version: sub.version } : {}),
    kind: sub.kind,
    verbs: sub.verbs,
  }
}

// ---- grouping

interface Group {
  group: string
  versions: Version[]
}

interface Version {
  version: string
  members: ResourceDefinition[]
  /** Set if another server answers for this version; there are no members then. */
  extension?: ExtensionVersion
}

/** Groups in the order of their definitions, versions best first, resources by name. */
function groupsOf({ definitions, extensions }: Served): Group[] {
  const groups = new Map<string, Map<string, Version>>()
  const versionsOf = (group: string) => {
    const versions = groups.get(group) ?? new Map<string, Version>()
    groups.set(group, versions)
    return versions
  }
  for (const definition of definitions) {
    const { group, version } = definition
    const members = versionsOf(group).get(version)?.members ?? []
    versionsOf(group).set(version, { version, members: [...members, definition] })
  }
  for (const extension of extensions) {
    versionsOf(extension.group).set(extension.version, { version: extension.version, members: [], extension })
  }
  return [...groups].map(([group, versions]) => ({
    group,
    versions: [...versions.values()]
      .map((one) => ({ ...one, members: one.members.sort((a, b) => (a.plural < b.plural ? -1 : 1)) }))
      .sort((a, b) => compareVersions(a.version, b.version)),
  }))
}

/** Kubernetes' order: v2, v1, v2beta1, v1beta2, v1alpha1, and whatever else, by name. */
export function compareVersions(a: string, b: string): number {
  const left = rank(a)
  const right = rank(b)
  for (const [i, value] of left.entries()) {
    const difference = (right[i] ?? 0) - value
    if (difference !== 0) return difference
  }
  return a < b ? -1 : a > b ? 1 : 0
}

const stages: Record<string, number> = { alpha: 1, beta: 2, '': 3 }

function rank(version: string): [stage: number, major: number, minor: number] {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version)
  return match === null ? [0, 0, 0] : [stages[match[2] ?? ''] ?? 0, Number(match[1]), Number(match[3] ?? 0)]
}

function groupVersion(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}
