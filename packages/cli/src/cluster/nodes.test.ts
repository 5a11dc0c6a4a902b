import { expect, test } from 'vitest'
import { numbered, withNewNode, withoutNode } from './nodes.ts'

const three = [{ name: 'node-1' }, { name: 'node-2', stopped: true }, { name: 'node-3' }]

test('the others keep their numbers when a node goes, and the next one gets its', () => {
  const two = withoutNode(three, 'node-2')
  expect(two).toEqual([
    { name: 'node-1', number: 1 },
    { name: 'node-3', number: 3 },
  ])
  expect(withNewNode(two)).toEqual([...two, { name: 'node-2', number: 2 }])
  expect(withNewNode(withNewNode(two)).at(-1)).toEqual({ name: 'node-4' })
  expect(numbered(withNewNode(three)).map(({ number }) => number)).toEqual([1, 2, 3, 4])
})
