import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { Container } from '@dinghy/shared/api/types'
import { DockerClient } from '../docker/docker-client.ts'
import { FakeEngine } from '../testing/fake-engine.ts'
import { container, pod, podUid } from '../testing/objects.ts'
import { ImagePuller } from './image-puller.ts'

let directory: string
let engine: FakeEngine
let clock: FakeClock
let puller: ImagePuller
let events: string[]
let lastMessage: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'image-puller-'))
  engine = new FakeEngine()
  await engine.listen(join(directory, 'docker.sock'))
  clock = new FakeClock()
  puller = new ImagePuller(new DockerClient(join(directory, 'docker.sock')), clock)
  events = []
})
afterEach(async () => {
  await engine.close()
  await rm(directory, { recursive: true })
})

async function ensure(overrides: Partial<Container>): Promise<string> {
  const record = (_type: string, reason: string, message: string): void => {
    events.push(reason)
    lastMessage = message
  }
  try {
    await puller.ensure(pod(), container(overrides), record, new AbortController().signal)
    return 'here'
  } catch (error) {
    const { reason, message, retryAt } = error as { reason: string; message: string; retryAt?: number }
    return `${reason}: ${message}${retryAt === undefined ? '' : ` (again in ${(retryAt - clock.now()) / 1000}s)`}`
  }
}

test.each<[string, Partial<Container>, string, string[], string[]]>([
  ['present', { image: 'busybox:1' }, 'here', ['Pulled'], []],
  ['absent', { image: 'nginx:1' }, 'here', ['Pulling', 'Pulled'], ['nginx:1']],
  ['Always', { image: 'busybox:1', imagePullPolicy: 'Always' }, 'here', ['Pulling', 'Pulled'], ['busybox:1']],
  [
    'Never and absent',
    { image: 'nginx:1', imagePullPolicy: 'Never' },
    'ErrImageNeverPull: Container image "nginx:1" is not present with pull policy of Never',
    ['ErrImageNeverPull'],
    [],
  ],
  [
    'no name at all',
    { image: 'Not A Name' },
    'InvalidImageName: Failed to apply default image tag "Not A Name": ' +
      'couldn\'t parse image name "Not A Name": invalid reference format',
    ['InspectFailed'],
    [],
  ],
])('%s', async (_name, overrides, outcome, reasons, pulled) => {
  expect(await ensure(overrides)).toBe(outcome)
  expect(events).toEqual(reasons)
  expect(engine.pulled).toEqual(pulled)
})

test('a pull that fails is tried ever more seldom', async () => {
  const broken = { image: 'broken:1' }
  const denied = 'pull access denied for broken:1'
  const backOff = `ImagePullBackOff: Back-off pulling image "broken:1": ErrImagePull: ${denied}`
  expect(await ensure(broken)).toBe(`ErrImagePull: ${denied}`)
  expect(await ensure(broken)).toBe(`${backOff} (again in 10s)`)
  await clock.advance(10_000)
  expect(await ensure(broken)).toBe(`ErrImagePull: ${denied}`)
  expect(await ensure(broken)).toBe(`${backOff} (again in 20s)`)
  expect(engine.pulled).toEqual(['broken:1', 'broken:1'])
  puller.forget(podUid)
  expect(await ensure(broken)).toBe(`ErrImagePull: ${denied}`)
})

test('an image that is here and asked of the registry all the same is told of', async () => {
  engine.images.add('broken:1')
  expect(await ensure({ image: 'broken:1', imagePullPolicy: 'Always' })).toMatch(/^ErrImagePull: [^(]*$/)
  await clock.advance(10_000)
  await ensure({ image: 'broken:1', imagePullPolicy: 'Always' })
  expect(events).toEqual(['Pulling', 'Failed', 'Pulling', 'Failed'])
  expect(lastMessage).toContain('An image of this name is here')
})

test('one pull serves all who wait for the image', async () => {
  expect(await Promise.all([ensure({ image: 'nginx:1' }), ensure({ image: 'nginx:1' })])).toEqual(['here', 'here'])
  expect(engine.pulled).toEqual(['nginx:1'])
})
