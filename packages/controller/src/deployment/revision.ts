/**
 * Revisions: which ReplicaSet is the new one, which are history, and the annotations that say so. All pure.
 *
 * A Deployment keeps no list of its versions. Its ReplicaSets are the list: one per pod template it ever had, told
 * apart by the label pod-template-hash, numbered by the annotation deployment.kubernetes.io/revision. Going back is
 * therefore nothing special: `kubectl rollout undo` puts an old template back into the Deployment, the ReplicaSet that
 * has this template is found again, becomes the new one and gets the next number.
 */

import { podTemplateHash } from '@dinghy/shared/api/hash'
import { nameWithHash } from '@dinghy/shared/api/names'
import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { Deployments } from '@dinghy/shared/api/resources'
import type { Deployment, Draft, ReplicaSet } from '@dinghy/shared/api/types'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { RolloutBounds } from './rolling-update.ts'
import { sizeAnnotations } from './sizes.ts'

export const hashLabel = 'pod-template-hash'
export const revisionAnnotation = 'deployment.kubernetes.io/revision'
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history'

/** Annotations of a Deployment that say nothing about its version, and so are not copied to its ReplicaSets. */
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'deprecated.deployment.rollback.to',
])

/** revision-history is cut from its old end to stay below this. */
const mostHistoryCharacters = 2000

/** The ReplicaSet of the Deployment's present template; the oldest, should there be several. */
export function findNewReplicaSet(deployment: Deployment, replicaSets: ReplicaSet[]): ReplicaSet | undefined {
  return byAge(replicaSets).find((replicaSet) => hasTemplateOf(deployment, replicaSet))
}

/** The hash label is put in by this controller, so it does not count. */
export function hasTemplateOf(deployment: Deployment, replicaSet: ReplicaSet): boolean {
  return isSemanticallyEqual(withoutHash(deployment.spec.template), withoutHash(replicaSet.spec.template))
}

function withoutHash(template: ReplicaSet['spec']['template']) {
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {}
  return { ...template, metadata: { ...template?.metadata, labels } }
}

/** Oldest first. */
export function byAge(replicaSets: ReplicaSet[]): ReplicaSet[] {
  return [...replicaSets].sort(
    (a, b) =>
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  )
}

/** 0 when there is none, or none that can be read. */
export function revisionOf(object: { metadata: { annotations?: Record<string, string> } }): number {
  const text = object.metadata.annotations?.[revisionAnnotation] ?? ''
  return /^\d+$/.test(text) ? Number(text) : 0
}

/** The number after the newest of the old ones: what the new ReplicaSet must have at least. */
function nextRevision(old: ReplicaSet[]): number {
  return Math.max(0, ...old.map(revisionOf)) + 1
}

/**
 * The ReplicaSet for a template that has none yet. Its name follows from the template, so that creating it twice
 * is impossible; `status.collisionCount` makes another name when a stranger already has this one.
 */
export function newReplicaSet(
  deployment: Deployment,
  bounds: RolloutBounds,
  old: ReplicaSet[],
  replicas: number,
): Draft<ReplicaSet> {
  const { name, namespace } = deployment.metadata
  const { template, selector, minReadySeconds } = deployment.spec
  const hash = podTemplateHash(template, deployment.status.collisionCount)
  const labels = { ...template.metadata?.labels, [hashLabel]: hash }
  const annotations = {
    ...copiedAnnotations(deployment),
    ...sizeAnnotations(bounds),
    [revisionAnnotation]: String(nextRevision(old)),
  }
  return {
    metadata: {
      name: nameWithHash(name, hash),
      namespace: namespace ?? '',
      labels,
      annotations,
      ownerReferences: [ownerReferenceTo(deployment, Deployments)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
}

/**
 * The new ReplicaSet as it should be now: the Deployment's annotations and minReadySeconds, and the highest revision.
 */
export function refreshed(deployment: Deployment, replicaSet: ReplicaSet, old: ReplicaSet[]): ReplicaSet {
  const annotations = { ...replicaSet.metadata.annotations, ...copiedAnnotations(deployment) }
  const revision = nextRevision(old)
  if (revisionOf(replicaSet) < revision) {
    const previous = annotations[revisionAnnotation]
    annotations[revisionAnnotation] = String(revision)
    // It was here before under another number: a rollback. Both numbers stay findable.
    if (previous) {
      annotations[revisionHistoryAnnotation] = longerHistory(annotations[revisionHistoryAnnotation], previous)
    }
  }
  const { minReadySeconds } = deployment.spec
  return {
    ...replicaSet,
    metadata: { ...replicaSet.metadata, annotations },
    spec: { ...replicaSet.spec, ...(minReadySeconds === undefined ? {} : { minReadySeconds }) },
  }
}

function longerHistory(history: string | undefined, revision: string): string {
  const revisions = history ? history.split(',') : []
  revisions.push(revision)
  while (revisions.length > 1 && revisions.join(',').length >= mostHistoryCharacters) revisions.shift()
  return revisions.join(',')
}

function copiedAnnotations(deployment: Deployment): Record<string, string> {
  const all = Object.entries(deployment.metadata.annotations ?? {})
  return Object.fromEntries(all.filter(([name]) => !notCopied.has(name)))
}

/** Old ReplicaSets beyond revisionHistoryLimit that are empty and settled, lowest revision first. */
export function expiredHistory(deployment: Deployment, old: ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit
  if (limit === undefined || limit === maxInt32) return []
  const present = old.filter((replicaSet) => replicaSet.metadata.deletionTimestamp === undefined)
  const surplus = present.length - limit
  if (surplus <= 0) return []
  return [...present]
    .sort(
      (a, b) =>
        revisionOf(a) - revisionOf(b) || a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp),
    )
    .slice(0, surplus)
    .filter(isEmptyAndSettled)
}

function isEmptyAndSettled({ metadata, spec, status }: ReplicaSet): boolean {
  return status.replicas === 0 && spec.replicas === 0 && (metadata.generation ?? 0) <= (status.observedGeneration ?? 0)
}

/** Upstream's spelling of "no limit". */
export const maxInt32 = 2 ** 31 - 1
