/**
 * The list of a cluster's nodes: pure. A node's number says which addresses it has, so it stays when another node is
 * removed: it is the node's place in the list, until a removal has to write it down.
 */

import type { NodeConfig } from './state-dir.ts'

export type NumberedNode = NodeConfig & { number: number }

export function numbered(nodes: readonly NodeConfig[]): NumberedNode[] {
  return nodes.map((node, index) => ({ ...node, number: node.number ?? index + 1 }))
}

/** With one more, which has the lowest free number, and is named for it. */
export function withNewNode(nodes: readonly NodeConfig[]): NodeConfig[] {
  const taken = new Set(numbered(nodes).map(({ number }) => number))
  let number = 1
  while (taken.has(number)) number++
  const node = { name: `node-${number}` }
  return [...nodes, number === nodes.length + 1 ? node : { ...node, number }]
}

export function withoutNode(nodes: readonly NodeConfig[], name: string): NodeConfig[] {
  return numbered(nodes).filter((node) => node.name !== name)
}
