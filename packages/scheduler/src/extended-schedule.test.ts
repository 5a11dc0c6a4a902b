/** Extenders against a real HTTP server on loopback. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FakeClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ExtenderConfiguration, readExtender } from './configuration/extenders.ts'
import { scheduleWithExtenders } from './extended-schedule.ts'
import { Extender } from './extender.ts'
import { defaultPlugins } from './plugins/default-plugins.ts'
import { cluster, node, pod } from './testing/objects.ts'

type Body = Record<string, unknown>

let server: Server
let base: string
let answers: Record<string, (body: Body) => unknown>
let asked: { verb: string; body: Body }[]

beforeEach(async () => {
  asked = []
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const verb = (request.url ?? '').split('/').at(-1) ?? ''
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Body
      asked.push({ verb, body })
      const answer = answers[verb]
      response.writeHead(answer ? 200 : 500, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer?.(body) ?? null))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ext`
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const log = createLogger({ name: 'test', level: 'fatal', clock: new FakeClock() })
const nodes = cluster(['a', 'b', 'c'].map((name) => node(name)))
const { signal } = new AbortController()

async function schedule(fields: Partial<ExtenderConfiguration>, one = pod('p')) {
  const extenders = [await Extender.from({ ...readExtender({ urlPrefix: base }, 'x'), ...fields })]
  return await scheduleWithExtenders(one, nodes, defaultPlugins, { extenders, log, random: () => 0 }, signal)
}

describe('filter', () => {
  test('nodes go in as objects, and come back', async () => {
    answers = { filter: ({ Nodes }) => ({ Nodes: { items: [(Nodes as { items: unknown[] }).items[2]] } }) }
    expect(await schedule({ filterVerb: 'filter' })).toMatchObject({ nodeName: 'c', feasible: 1 })
    expect(asked[0]?.body).toMatchObject({ Pod: { metadata: { name: 'p' } }, Nodes: { kind: 'NodeList' } })
  })

  test('one with a cache of its own is told names', async () => {
    answers = { filter: () => ({ NodeNames: ['b'] }) }
    expect(await schedule({ filterVerb: 'filter', nodeCacheCapable: true })).toMatchObject({ nodeName: 'b' })
    expect(asked[0]?.body).toMatchObject({ NodeNames: ['a', 'b', 'c'] })
  })

  test('what it refuses is told in its words', async () => {
    answers = {
      filter: () => ({
        NodeNames: [],
        FailedNodes: { a: 'busy', b: 'busy' },
        FailedAndUnresolvableNodes: { b: 'broken' },
      }),
    }
    const decision = await schedule({ filterVerb: 'filter', nodeCacheCapable: true })
    expect(decision.nodeName).toBeUndefined()
    if (decision.nodeName !== undefined) return
    expect(decision.diagnosis.refusals.get('a')).toEqual({ code: 'Unschedulable', reasons: ['busy'] })
    expect(decision.diagnosis.refusals.get('b')).toEqual({ code: 'UnschedulableAndUnresolvable', reasons: ['broken'] })
    expect(decision.diagnosis.refusals.get('c')?.reasons).toEqual(['node(s) refused by an extender'])
    expect([...decision.diagnosis.refusedBy]).toEqual([base])
  })

  test.each<[string, () => unknown, string]>([
    ['an error of its own', () => ({ Error: 'no licence' }), 'no licence'],
    ['a node of its own', () => ({ NodeNames: ['z'] }), 'claims a filtered node "z"'],
  ])('fails: %s', async (_what, filter, message) => {
    answers = { filter }
    await expect(schedule({ filterVerb: 'filter' })).rejects.toThrow(message)
    expect(await schedule({ filterVerb: 'filter', ignorable: true })).toMatchObject({ feasible: 3 })
  })

  test('a server error', async () => {
    answers = {}
    await expect(schedule({ filterVerb: 'filter' })).rejects.toThrow(
      `failed filter with extender at URL ${base}/filter, code 500`,
    )
  })
})

describe('prioritize', () => {
  test("scores count with the weight, on top of the plugins'", async () => {
    answers = {
      prioritize: () => [
        { Host: 'b', Score: 1 },
        { Host: 'c', Score: 10 },
        { Host: 'z', Score: 10 },
      ],
    }
    expect(await schedule({ prioritizeVerb: 'prioritize', weight: 2 })).toMatchObject({ nodeName: 'c' })
  })

  test('one that cannot tell is left out', async () => {
    answers = {}
    expect(await schedule({ prioritizeVerb: 'prioritize', weight: 2 })).toMatchObject({ nodeName: 'a', feasible: 3 })
  })
})

test('it is interested in pods that want what it manages', async () => {
  const options = { managedResources: [{ name: 'chip', ignoredByScheduler: false }] }
  const extender = await Extender.from({ ...readExtender({ urlPrefix: base }, 'x'), ...options })
  expect(extender.isInterestedIn(pod('p'))).toBe(false)
  expect(extender.isInterestedIn(pod('p', { requests: { chip: '1' } }))).toBe(true)
})

test('it binds', async () => {
  answers = { bind: () => ({}) }
  const extender = await Extender.from({ ...readExtender({ urlPrefix: base }, 'x'), bindVerb: 'bind' })
  await extender.bind(pod('p'), 'a', signal)
  const body = { PodName: 'p', PodNamespace: 'default', PodUID: 'uid-default-p', Node: 'a' }
  expect(asked).toEqual([{ verb: 'bind', body }])
  answers = { bind: () => ({ Error: 'too late' }) }
  await expect(extender.bind(pod('p'), 'a', signal)).rejects.toThrow('too late')
})
