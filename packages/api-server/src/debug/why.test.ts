import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { SqliteStorage } from '../storage/sqlite.ts'
import { why } from './why.ts'

let storage: SqliteStorage
let newest: Map<string, number>
beforeEach(() => {
  storage = new SqliteStorage({ path: ':memory:', clock: new FakeClock() })
  newest = new Map()
})
afterEach(() => storage.close())

/** Writes an object's next revision, and says which it is. */
async function write(key: string, actor: string, fields: object, cause?: number): Promise<number> {
  const [kind = '', name = ''] = key.split('/')
  const { metadata, ...rest } = fields as { metadata?: object }
  const object = { apiVersion: 'v1', kind, metadata: { name, ...metadata }, ...rest } as unknown as KubernetesObject
  const [entry] = await storage.write([{ key, expected: newest.get(key) ?? 0, object, actor, cause }])
  newest.set(key, entry?.revision ?? 0)
  return entry?.revision ?? 0
}

function told(key: string): string[] {
  return why(storage, key).map(
    ({ kind, name, actor, summary }) => `${kind}/${name} by ${actor}: ${summary || 'created'}`,
  )
}

const owned = { metadata: { ownerReferences: [{ kind: 'Deployment' }] } }

test('from the status of a Deployment over the pods that became Ready to the apply that wanted it', async () => {
  const apply = await write('Deployment/web', 'kubectl', { spec: { replicas: 1 } })
  const pod = await write('Pod/web-1', 'deployment-controller', { ...owned, spec: {} }, apply)
  await write('Pod/web-1', 'scheduler', { ...owned, spec: { nodeName: 'node-1' } }, pod)
  const status = { conditions: [{ type: 'Ready', status: 'True' }] }
  // Nobody wanted that the program is up at this moment: no cause.
  const ready = await write('Pod/web-1', 'kubelet', { ...owned, spec: { nodeName: 'node-1' }, status })
  await write('Deployment/web', 'deployment-controller', { spec: { replicas: 1 }, status: { readyReplicas: 1 } }, ready)
  expect(told('Deployment/web')).toEqual([
    'Deployment/web by deployment-controller: ready 0 \u2192 1',
    'Pod/web-1 by kubelet: became Ready',
    'Pod/web-1 by scheduler: bound to node-1',
    'Pod/web-1 by deployment-controller: created',
    'Deployment/web by kubectl: created',
  ])
})

test('what somebody outside did to an object is the root of what it caused', async () => {
  await write('Pod/old', 'kubectl', owned)
  const deletion = { metadata: { ...owned.metadata, deletionTimestamp: '2025-01-01T00:00:00Z' } }
  const marked = await write('Pod/old', 'kubectl', deletion)
  await write('Pod/new', 'controller', owned, marked)
  expect(told('Pod/new')).toEqual(['Pod/new by controller: created', 'Pod/old by kubectl: marked for deletion'])
})

test('so is what is reported of an object that nobody owns: a node’s past explains nothing', async () => {
  await write('Node/one', 'kubelet', {})
  const lost = await write('Node/one', 'node-controller', {
    status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
  })
  await write('Pod/p', 'node-controller', owned, lost)
  expect(told('Pod/p')).toHaveLength(2)
})
