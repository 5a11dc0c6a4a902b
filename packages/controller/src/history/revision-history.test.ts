import { describe, expect, test } from 'vitest'
import { DaemonSets, StatefulSets } from '@dinghy/shared/api/resources'
import type { ControllerRevision, DaemonSet, Draft } from '@dinghy/shared/api/types'
import { metaOf, webTemplate } from '../testing/objects.ts'
import { expiredRevisions, hashOf, planRevision, templateOf } from './revision-history.ts'

function owner(version: string): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: metaOf('agent', { annotations: { 'kubernetes.io/change-cause': version } }),
    spec: { selector: { matchLabels: { app: 'web' } }, template: webTemplate(version) },
    status: { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
  }
}

function revisionOf(version: string, revision: number): ControllerRevision {
  const step = planRevision(owner(version), DaemonSets, [])
  const { metadata, data } = step.revision as Draft<ControllerRevision>
  const { generateName: _generateName, ...meta } = metadata
  const stored = { ...metaOf(metadata.name ?? ''), ...meta, name: metadata.name ?? '' }
  return { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: stored, ...(data ? { data } : {}), revision }
}

describe('planRevision', () => {
  test('makes a revision of a new template, as a patch that brings it back', () => {
    const step = planRevision(owner('v3'), DaemonSets, [revisionOf('v1', 1), revisionOf('v2', 2)])
    expect(step).toMatchObject({ do: 'create', revision: { revision: 3 } })
    const { metadata, data } = step.revision
    expect(data).toEqual({ spec: { template: { ...webTemplate('v3'), $patch: 'replace' } } })
    const hash = metadata.labels?.['controller-revision-hash']
    expect(metadata.name).toBe(`agent-${hash}`)
    expect(metadata.annotations).toEqual({ 'kubernetes.io/change-cause': 'v3' })
  })

  test('labels those of a StatefulSet as Kubernetes does', () => {
    const { metadata } = planRevision(owner('v1'), StatefulSets, []).revision
    expect(metadata.labels).toHaveProperty(['controller.kubernetes.io/hash'])
    expect(metadata.labels).not.toHaveProperty(['controller-revision-hash'])
  })

  test('leaves the newest alone', () => {
    const newest = revisionOf('v2', 2)
    expect(planRevision(owner('v2'), DaemonSets, [newest, revisionOf('v1', 1)])).toEqual({
      do: 'nothing',
      revision: newest,
    })
  })

  test('gives an old one the next number when its template comes back', () => {
    const old = revisionOf('v1', 1)
    const step = planRevision(owner('v1'), DaemonSets, [revisionOf('v2', 2), old])
    expect(step).toEqual({ do: 'renumber', revision: { ...old, revision: 3 } })
  })

  test('avoids a name that was taken', () => {
    const collided = owner('v1')
    collided.status = { ...collided.status, collisionCount: 1 }
    expect(planRevision(collided, DaemonSets, []).revision.metadata.name).not.toBe(revisionOf('v1', 1).metadata.name)
  })
})

describe('a revision', () => {
  test('remembers its template and its hash', () => {
    const revision = revisionOf('v1', 1)
    expect(templateOf(revision)).toEqual(webTemplate('v1'))
    expect(revision.metadata.name).toBe(`agent-${hashOf(revision)}`)
  })

  test('expires when it is unused and beyond the limit, oldest first', () => {
    const all = [4, 2, 3, 1].map((number) => revisionOf(`v${number}`, number))
    const isInUse = ({ revision }: ControllerRevision) => revision === 4 || revision === 1
    const expired = (limit: number) => expiredRevisions(all, isInUse, limit).map(({ revision }) => revision)
    expect(expired(0)).toEqual([2, 3])
    expect(expired(1)).toEqual([2])
    expect(expired(2)).toEqual([])
  })
})
