/** What no client should send: whatever it is, it is the client's mistake (4xx) and never ours (5xx). */
import { DockerError } from '@dinghy/shared/docker/errors'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newEngine } from '../testing/engine.ts'
import {
  connectShape,
  createShape,
  execShape,
  hostConfigShape,
  networkShape,
  volumeShape,
  type Shape,
} from './body-shape.ts'

let house: Awaited<ReturnType<typeof newEngine>>
beforeAll(async () => {
  house = await newEngine()
  await house.lifecycle.start(await house.create(['serve'], {}, 'box'))
})
beforeEach(() => void house.logged.splice(0))
afterAll(() => house.close())

/** 0 for an answer that is no refusal. */
async function statusOf(method: string, path: string, body?: unknown): Promise<number> {
  try {
    await house.engine.text(method, path, { body })
    return 0
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
    return error.status
  }
}

/** Bodies with one odd value in the place of each part of the shape. */
function* oddBodies(shape: Shape, odd: (shape: Shape) => unknown[]): Generator {
  yield* odd(shape)
  if (typeof shape === 'string') return
  if ('oneOf' in shape) for (const one of shape.oneOf) yield* oddBodies(one, odd)
  else if ('listOf' in shape) for (const item of oddBodies(shape.listOf, odd)) yield [item]
  else if ('mapOf' in shape) for (const item of oddBodies(shape.mapOf, odd)) yield { '80/tcp': item }
  else
    for (const [name, field] of Object.entries(shape.fields))
      for (const item of oddBodies(field, odd)) yield { [name]: item }
}

const routes: [path: string, shape: Shape, rest: object][] = [
  ['/containers/create', createShape, { Image: 'box' }],
  ['/containers/box/update', hostConfigShape, {}],
  ['/containers/box/exec', execShape, { Cmd: ['exit', '0'] }],
  ['/networks/create', networkShape, {}],
  ['/networks/bridge/connect', connectShape, { Container: 'box' }],
  ['/volumes/create', volumeShape, {}],
]

test.each(routes)('POST %s with null anywhere', async (path, shape, rest) => {
  for (const body of oddBodies(shape, () => [null])) {
    const sent = { ...rest, ...(body as object) }
    expect(await statusOf('POST', path, sent), JSON.stringify(sent)).toBeLessThan(500)
  }
  expect(house.logged).toEqual([])
})

test.each(routes)('POST %s with another type anywhere', async (path, shape, rest) => {
  const other = (wanted: Shape) => (wanted === 'anything' ? [] : [typeof wanted === 'string' ? [{}] : 5, 1e300])
  for (const body of oddBodies(shape, other)) {
    const sent = typeof body === 'object' && !Array.isArray(body) ? { ...rest, ...body } : body
    expect(await statusOf('POST', path, sent), JSON.stringify(sent)).toBe(400)
  }
})

test.each(routes)('POST %s with a NUL byte anywhere', async (path, shape, rest) => {
  const withNul = (wanted: Shape) =>
    wanted === 'string' ? ['/a\0b'] : typeof wanted === 'object' && 'mapOf' in wanted ? [{ '\0': null }] : []
  for (const body of oddBodies(shape, withNul)) {
    const sent = { ...rest, ...(body as object) }
    expect(await statusOf('POST', path, sent), JSON.stringify(sent)).toBe(400)
  }
})

test.each([
  [{ HostConfig: { Binds: [null] } }, "invalid volume specification: ''"],
  [{ HostConfig: { Mounts: [null] } }, 'mount type unknown: ""'],
  [{ HostConfig: { Ulimits: [null] } }, 'invalid ulimit type: '],
  [{ HostConfig: { Devices: [null] } }, 'PathOnHost must not be empty'],
  [{ Env: [null] }, 'invalid environment variable'],
])('%j is told so', async (body, message) => {
  await expect(house.engine.json('POST', '/containers/create', { body: { Image: 'box', ...body } })).rejects.toThrow(
    message,
  )
})

test('a body that is nested too deeply', async () => {
  const deep = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)
  expect(await statusOf('POST', '/containers/create', { Image: 'box', HostConfig: { Other: deep(900) } })).toBe(0)
  expect(await statusOf('POST', '/containers/create', { Image: 'box', HostConfig: { Other: deep(1500) } })).toBe(400)
})

test.each([
  ['GET', '/containers/a%00b/json'],
  ['GET', '/containers/box/archive?path=/a%00b'],
  ['GET', '/volumes/a%00b'],
  ['DELETE', '/networks/a%00b'],
  ['POST', '/containers/create?name=a%00b'],
])('%s %s', async (method, path) => {
  expect(await statusOf(method, path, method === 'POST' ? { Image: 'box' } : undefined)).toBe(400)
})
