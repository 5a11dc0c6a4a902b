import type { Node } from '@dinghy/shared/api/types'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { storeFixture } from '../testing/store-fixture.ts'
import { taintNodesByCondition } from './taint-nodes-by-condition.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(() => {
  fixture = storeFixture(() => [taintNodesByCondition()])
})
afterEach(() => fixture.storage.close())

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }
const own = { key: 'a', effect: 'NoExecute' }

test.each([
  ['a node', {}, [notReady]],
  ['one without a spec', undefined, [notReady]],
  ['one with taints of its own', { taints: [own] }, [own, notReady]],
  ['one that knows', { taints: [notReady, own] }, [notReady, own]],
])('%s is born not ready', async (_what, spec, taints) => {
  const node = (await fixture.create('nodes', { metadata: { name: 'n' }, ...(spec ? { spec } : {}) })) as Node
  expect(node.spec.taints).toEqual(taints)
})
