/**
 * Revisions over a real connection: a name that is taken, by us or by a stranger, and a template that comes back.
 */

import { ControllerRevisions, DaemonSets } from '@dinghy/shared/api/resources'
import type { ControllerRevision, DaemonSet } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { metaOf, webTemplate } from '../testing/objects.ts'
import { removeRevisions, syncRevision } from './revision-control.ts'

let server: TinyApiServer
let client: ApiClient
let owner: DaemonSet
const { signal } = new AbortController()

beforeEach(async () => {
  server = await TinyApiServer.start()
  client = new ApiClient({ server: server.url, userAgent: 'tester' })
  owner = server.put(DaemonSets, {
    metadata: metaOf('agent'),
    spec: { selector: { matchLabels: { app: 'web' } }, template: webTemplate('v1') },
    status: { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
  })
})
afterEach(() => server.close())

async function sync(history: ControllerRevision[] = []): Promise<ControllerRevision> {
  return await syncRevision(client, DaemonSets, owner, history, signal)
}
function withTemplate(version: string): void {
  owner = { ...owner, spec: { ...owner.spec, template: webTemplate(version) } }
}

test('each template gets a revision with the next number; one that comes back is renumbered, not copied', async () => {
  const first = await sync()
  withTemplate('v2')
  const second = await sync([first])
  expect([first.revision, second.revision]).toEqual([1, 2])
  expect(await sync([first, second])).toEqual(second)
  withTemplate('v1')
  const again = await sync([first, second])
  expect([again.metadata.name, again.revision]).toEqual([first.metadata.name, 3])
  expect(server.all(ControllerRevisions)).toHaveLength(2)
})

test('our own that the cache did not show yet is used', async () => {
  const first = await sync()
  expect((await sync()).metadata.uid).toBe(first.metadata.uid)
})

test("a stranger's of the same name makes another name", async () => {
  const { metadata, data } = await sync()
  const { ownerReferences: _ours, ...others } = metadata
  server.put(ControllerRevisions, { metadata: others, data, revision: 7 })
  await expect(sync()).rejects.toThrow('trying collision count 1')
  owner = server.read(DaemonSets, 'agent', 'default') ?? owner
  expect(owner.status.collisionCount).toBe(1)
  expect((await sync()).metadata.name).not.toBe(metadata.name)
})

test('removing one that is gone already is fine', async () => {
  const first = await sync()
  await removeRevisions(client, [first, first], signal)
  expect(server.all(ControllerRevisions)).toEqual([])
})
