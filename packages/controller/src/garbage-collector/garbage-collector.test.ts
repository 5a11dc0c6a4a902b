import { ConfigMaps, CustomResourceDefinitions, Nodes, Leases, type Resource } from '@dinghy/shared/api/resources'
import type { ConfigMap, ObjectMeta, OwnerReference } from '@dinghy/shared/api/types'
import type { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoopTest } from '../testing/loop.ts'
import { GarbageCollector } from './garbage-collector.ts'

let loop: LoopTest
let server: TinyApiServer

beforeEach(async () => {
  loop = await LoopTest.create()
  server = loop.server
  server.resources = [ConfigMaps, Nodes, Leases]
})
afterEach(() => loop.end())

function start(): void {
  return loop.start(GarbageCollector)
}
function until(condition: () => boolean): Promise<void> {
  return loop.until(condition)
}

function settings(name: string, owners: OwnerReference[] = [], more: Partial<ObjectMeta> = {}) {
  return server.put(ConfigMaps, { metadata: { name, namespace: 'default', ownerReferences: owners, ...more } })
}

function ref(
  resource: Resource,
  { metadata: { name, uid } }: { metadata: ObjectMeta },
  blockOwnerDeletion = true,
): OwnerReference {
  const apiVersion = resource.group ? `${resource.group}/${resource.version}` : resource.version
  return { apiVersion, kind: resource.kind, name, uid, blockOwnerDeletion }
}

function names(): string[] {
  return server
    .all(ConfigMaps)
    .map(({ metadata }) => metadata.name)
    .sort()
}
function deletions(): string[] {
  return server.requests
    .filter(({ method }) => method === 'DELETE')
    .map(({ path, body }) => {
      return `${path.split('/').at(-1)} ${(body as { propagationPolicy: string }).propagationPolicy}`
    })
}

test('background: dependents go after their owner, and theirs after them, each because of the last', async () => {
  const owner = settings('owner')
  const child = settings('child', [ref(ConfigMaps, owner)])
  settings('grandchild', [ref(ConfigMaps, child)])
  settings('stranger')
  start()
  await until(() => server.watchers === 3)
  server.remove(ConfigMaps, 'owner', 'default')
  const removedAt = String(server.revision)
  await until(() => names().length === 1)
  expect(names()).toEqual(['stranger'])
  expect(deletions()).toEqual(['child Background', 'grandchild Background'])
  const causes = server.requests
    .filter(({ method }) => method === 'DELETE')
    .map(({ headers }) => headers['x-dinghy-cause'])
  expect(causes).toEqual([removedAt, String(Number(removedAt) + 1)])
})

test('garbage that was made while nobody looked is found at the start; what is owned is left alone', async () => {
  const owner = settings('owner')
  settings('kept', [ref(ConfigMaps, owner)])
  settings('garbage', [{ ...ref(ConfigMaps, owner), name: 'gone', uid: 'gone' }])
  settings('impostor', [{ ...ref(ConfigMaps, owner), uid: 'another object of the same name' }])
  start()
  await until(() => names().length === 2)
  expect(names()).toEqual(['kept', 'owner'])
  // What the caches can answer is not asked of the server.
  expect(server.requests.filter(({ method, path }) => method === 'GET' && path.endsWith('/kept'))).toEqual([])
})

test('with another owner left, only the reference goes', async () => {
  const [first, second] = [settings('first'), settings('second')]
  settings('child', [ref(ConfigMaps, first), ref(ConfigMaps, second)])
  start()
  await until(() => server.watchers === 3)
  server.remove(ConfigMaps, 'first', 'default')
  const child = (): ConfigMap | undefined => server.read(ConfigMaps, 'child', 'default')
  await until(() => child()?.metadata.ownerReferences?.length === 1)
  expect(child()?.metadata.ownerReferences).toEqual([ref(ConfigMaps, second)])
})

test('foreground: the owner stays until the dependents that block it are gone', async () => {
  const owner = settings('owner')
  settings('child', [ref(ConfigMaps, owner)], { finalizers: ['example.com/slow'] })
  settings('free', [ref(ConfigMaps, owner, false)])
  start()
  await until(() => server.watchers === 3)
  server.put(ConfigMaps, {
    ...owner,
    metadata: { ...owner.metadata, deletionTimestamp: 'now', finalizers: ['foregroundDeletion'] },
  } as ConfigMap)
  await until(() => names().length === 0)
  expect(deletions().sort()).toEqual(['child Background', 'free Background'])
  const order = server.requests
    .filter(({ method }) => method === 'DELETE' || method === 'PATCH')
    .map(({ path }) => path.split('/').at(-1))
  expect(order.at(-1)).toBe('owner')
})

test('orphan: the dependents live on without their reference', async () => {
  const owner = settings('owner')
  settings('child', [ref(ConfigMaps, owner)])
  start()
  await until(() => server.watchers === 3)
  server.put(ConfigMaps, {
    ...owner,
    metadata: { ...owner.metadata, deletionTimestamp: 'now', finalizers: ['orphan'] },
  } as ConfigMap)
  await until(() => names().length === 1)
  expect(server.read(ConfigMaps, 'child', 'default')?.metadata).not.toHaveProperty('ownerReferences')
  expect(deletions()).toEqual([])
})

test('a cluster-scoped owner takes its namespaced dependents along', async () => {
  const node = server.put(Nodes, { metadata: { name: 'node-1' } })
  server.put(Leases, {
    metadata: { name: 'node-1', namespace: 'kube-node-lease', ownerReferences: [ref(Nodes, node)] },
    spec: {},
  })
  start()
  await until(() => server.watchers === 3)
  server.remove(Nodes, 'node-1')
  await until(() => server.all(Leases).length === 0)
})

test('an owner in another namespace is no owner; a kind that nobody knows decides nothing', async () => {
  const owner = settings('owner', [], { namespace: 'other' })
  settings('crossing', [ref(ConfigMaps, owner)])
  settings('mystery', [{ apiVersion: 'example.com/v1', kind: 'Mystery', name: 'x', uid: 'x' }])
  const node = server.put(Nodes, { metadata: { name: 'node-1', ownerReferences: [ref(ConfigMaps, owner)] } })
  start()
  await until(() => !names().includes('crossing'))
  await loop.clock.advance(60_000)
  expect(names()).toEqual(['mystery', 'owner'])
  expect(server.read(Nodes, 'node-1')?.metadata.uid).toBe(node.metadata.uid)
})

test('a kind that appears later is looked after too', async () => {
  server.resources = [ConfigMaps]
  const owner = settings('owner')
  start()
  await until(() => server.watchers === 1)
  server.resources = [ConfigMaps, Leases]
  server.put(Leases, {
    metadata: { name: 'late', namespace: 'default', ownerReferences: [ref(ConfigMaps, owner)] },
    spec: {},
  })
  server.remove(ConfigMaps, 'owner', 'default')
  await loop.clock.advance(30_000)
  await until(() => server.all(Leases).length === 0)
})

test('a custom kind is looked after soon after its definition has come', async () => {
  server.resources = [ConfigMaps, CustomResourceDefinitions]
  const owner = settings('owner')
  start()
  await until(() => server.watchers === 2)
  server.resources = [ConfigMaps, CustomResourceDefinitions, Leases]
  server.put(CustomResourceDefinitions, { metadata: { name: 'leases.example.com' } } as never)
  const definedAt = loop.clock.now()
  await until(() => server.watchers === 3)
  // Otherwise discovery is repeated every thirty seconds.
  expect(loop.clock.now() - definedAt).toBeLessThan(10_000)
  server.put(Leases, {
    metadata: { name: 'custom', namespace: 'default', ownerReferences: [ref(ConfigMaps, owner)] },
    spec: {},
  })
  server.remove(ConfigMaps, 'owner', 'default')
  await until(() => server.all(Leases).length === 0)
})
