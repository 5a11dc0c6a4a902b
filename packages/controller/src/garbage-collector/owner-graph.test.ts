import { ConfigMaps } from '@dinghy/shared/api/resources'
import { expect, test } from 'vitest'
import { metaOf } from '../testing/objects.ts'
import { blocks, OwnerGraph, type GraphNode } from './owner-graph.ts'

function node(uid: string, owners: string[] = [], blockOwnerDeletion = false): GraphNode {
  const ownerReferences = owners.map((owner) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: owner,
    uid: owner,
    blockOwnerDeletion,
  }))
  return {
    resource: ConfigMaps,
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: metaOf(uid, { uid, ownerReferences }) },
  }
}

function uids(nodes: GraphNode[]): string[] {
  return nodes.map(({ object }) => object.metadata.uid)
}

test('dependents are found whether or not their owner has been seen', () => {
  const graph = new OwnerGraph()
  graph.set(node('child', ['parent', 'other']))
  expect(uids(graph.dependentsOf('parent'))).toEqual(['child'])
  graph.set(node('parent'))
  graph.set(node('second', ['parent']))
  expect(uids(graph.dependentsOf('parent'))).toEqual(['child', 'second'])
})

test('an update moves the edges, a removal takes them away', () => {
  const graph = new OwnerGraph()
  graph.set(node('child', ['old']))
  graph.set(node('child', ['new']))
  expect([uids(graph.dependentsOf('old')), uids(graph.dependentsOf('new'))]).toEqual([[], ['child']])
  graph.delete('child')
  expect([graph.dependentsOf('new'), graph.get('child'), graph.size]).toEqual([[], undefined, 0])
})

test('only a reference that says so blocks the deletion of its owner', () => {
  expect(blocks(node('child', ['parent'], true), 'parent')).toBe(true)
  expect(blocks(node('child', ['parent'], true), 'other')).toBe(false)
  expect(blocks(node('child', ['parent'], false), 'parent')).toBe(false)
})
