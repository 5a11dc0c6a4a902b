/**
 * The versions of a DaemonSet or StatefulSet. Pure.
 *
 * Where a Deployment has its old ReplicaSets, these kinds keep a ControllerRevision for each template they ever had: a
 * patch that would bring the template back, and a number. `kubectl rollout undo` applies such a patch; the template
 * then equals an old revision, which gets the next number instead of a copy being made.
 */

import { podTemplateHash } from '@dinghy/shared/api/hash'
import { nameWithHash } from '@dinghy/shared/api/names'
import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import type { Resource } from '@dinghy/shared/api/resources'
import type { ControllerRevision, DaemonSet, Draft, PodTemplateSpec, StatefulSet } from '@dinghy/shared/api/types'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'

/** On the pods of both kinds, and on the revisions of a DaemonSet. */
export const revisionHashLabel = 'controller-revision-hash'
/** On the revisions of a StatefulSet. */
const statefulHashLabel = 'controller.kubernetes.io/hash'

export type Versioned = DaemonSet | StatefulSet

/** What has to be done so that the present template has a revision, and the highest number. */
export type RevisionStep =
  | { do: 'nothing'; revision: ControllerRevision }
  | { do: 'renumber'; revision: ControllerRevision }
  | { do: 'create'; revision: Draft<ControllerRevision> }

export function planRevision(owner: Versioned, resource: Resource, history: ControllerRevision[]): RevisionStep {
  const data = dataOf(owner.spec.template)
  const newest = Math.max(0, ...history.map(({ revision }) => revision))
  const equal = byNumber(history).filter((one) => isSemanticallyEqual(one.data, data))
  const present = equal.at(-1)
  if (!present) return { do: 'create', revision: newRevision(owner, resource, newest + 1) }
  if (present.revision === newest) return { do: 'nothing', revision: present }
  return { do: 'renumber', revision: { ...present, revision: newest + 1 } }
}

/** Lowest number first. */
function byNumber(history: ControllerRevision[]): ControllerRevision[] {
  return [...history].sort((a, b) => a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1))
}

/** Revisions beyond the limit that nothing uses any more, lowest number first. */
export function expiredRevisions(
  history: ControllerRevision[],
  isInUse: (revision: ControllerRevision) => boolean,
  limit: number,
): ControllerRevision[] {
  const unused = byNumber(history).filter((one) => !isInUse(one))
  return unused.slice(0, Math.max(0, unused.length - limit))
}

/** The template that a revision remembers. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { spec } = revision.data as Data
  const { $patch: _directive, ...template } = spec.template
  return template
}

export function hashOf(revision: ControllerRevision): string {
  const { labels = {} } = revision.metadata
  return labels[revisionHashLabel] ?? labels[statefulHashLabel] ?? ''
}

interface Data {
  spec: { template: PodTemplateSpec & { $patch?: 'replace' } }
}

/** A strategic merge patch of the owner. `replace`, because merging would keep what the later template added. */
function dataOf(template: PodTemplateSpec): Data {
  return { spec: { template: { ...template, $patch: 'replace' } } }
}

function newRevision(owner: Versioned, resource: Resource, revision: number): Draft<ControllerRevision> {
  const { template } = owner.spec
  const { name, namespace, annotations } = owner.metadata
  const hash = podTemplateHash(template, owner.status.collisionCount)
  const hashLabel = resource.kind === 'StatefulSet' ? statefulHashLabel : revisionHashLabel
  return {
    metadata: {
      name: nameWithHash(name, hash),
      namespace: namespace ?? '',
      labels: { ...template.metadata?.labels, [hashLabel]: hash },
      ...(annotations ? { annotations } : {}),
      ownerReferences: [ownerReferenceTo(owner, resource)],
    },
    data: dataOf(template),
    revision,
  }
}
