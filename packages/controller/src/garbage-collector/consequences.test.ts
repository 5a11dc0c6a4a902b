import { ConfigMaps, Nodes } from '@dinghy/shared/api/resources'
import type { ObjectMeta } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { at, metaOf } from '../testing/objects.ts'
import { afterChange, afterRemoval } from './consequences.ts'
import { OwnerGraph, type GraphNode } from './owner-graph.ts'

function node(uid: string, owners: string[] = [], more: Partial<ObjectMeta> = {}): GraphNode {
  const ownerReferences = owners.map((owner) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid: owner }))
  return {
    resource: ConfigMaps,
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: metaOf(uid, { uid, ownerReferences, ...more }) },
  }
}

function graphOf(...nodes: GraphNode[]): OwnerGraph {
  const graph = new OwnerGraph()
  for (const one of nodes) graph.set(one)
  return graph
}

function uids(nodes: GraphNode[]): string[] {
  return [...new Set(nodes.map(({ object }) => object.metadata.uid))]
}
const foreground = { deletionTimestamp: at(1), finalizers: ['foregroundDeletion'] }
const parent = node('parent')
const waiting = node('parent', [], foreground)
const child = node('child', ['parent'])

describe('something has appeared or changed', () => {
  test.each<[string, GraphNode[], GraphNode, GraphNode | undefined, string[]]>([
    ['its owner is there: nothing', [parent], child, undefined, []],
    ['its owner has not been seen: it', [], child, undefined, ['child']],
    ['its owner has another name: it', [node('parent', [], { name: 'renamed' })], child, undefined, ['child']],
    [
      'its owner is in another namespace: it',
      [node('parent', [], { namespace: 'other' })],
      child,
      undefined,
      ['child'],
    ],
    ['its owner waits: both', [waiting], child, undefined, ['child', 'parent']],
    ['it no longer refers to an owner that waits: the owner', [waiting], node('child'), child, ['parent']],
    ['it has begun to wait: it and its dependents', [child], waiting, parent, ['parent', 'child']],
    [
      'it is to set its dependents free: it',
      [child],
      node('parent', [], { ...foreground, finalizers: ['orphan'] }),
      parent,
      ['parent'],
    ],
    [
      'it is merely being deleted: nothing',
      [parent],
      node('child', ['parent'], { deletionTimestamp: at(1) }),
      child,
      [],
    ],
  ])('%s', (_name, others, changed, previous, expected) => {
    const graph = graphOf(...others, changed)
    expect(uids(afterChange(graph, changed, previous))).toEqual(expected)
  })

  test('a cluster-scoped owner may own in every namespace', () => {
    const owner: GraphNode = { ...node('parent', []), resource: Nodes }
    owner.object = { ...owner.object, metadata: { ...owner.object.metadata, namespace: '' } }
    expect(afterChange(graphOf(owner, child), child, undefined)).toEqual([])
  })
})

test.each<[string, GraphNode[], GraphNode, string[]]>([
  ['its dependents are looked at', [child, node('second', ['parent'])], parent, ['child', 'second']],
  ['and an owner that it kept waiting', [waiting], child, ['parent']],
  ['but no other owner', [parent], child, []],
])('something has gone: %s', (_name, others, removed, expected) => {
  expect(uids(afterRemoval(graphOf(...others), removed))).toEqual(expected)
})
