import { expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { KubernetesObject, Pod } from '@dinghy/shared/api/types'
import { tellOfPause } from './pause-notice.ts'

test('each pod that waits at a closed gate is told once in a pause', async () => {
  const clock = new FakeClock()
  const stop = new AbortController()
  const told: string[] = []
  let held: Pod[] = []
  const event = (object: KubernetesObject, _type: string, reason: string) => {
    told.push(`${object.metadata.name} ${reason}`)
  }
  const running = tellOfPause({ clock, queue: { heldPods: () => held }, events: { event } }, stop.signal)
  await clock.advance(5_000)
  expect(told).toEqual([])
  held = [pod('a')]
  await clock.advance(3_000)
  held = [pod('a'), pod('b')]
  await clock.advance(3_000)
  expect(told).toEqual(['a SchedulingPaused', 'b SchedulingPaused'])
  held = []
  await clock.advance(1_000)
  held = [pod('a')]
  await clock.advance(1_000)
  expect(told.at(-1)).toBe('a SchedulingPaused')
  expect(told).toHaveLength(3)
  stop.abort()
  await running
})

function pod(name: string): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, uid: name }, spec: {} } as unknown as Pod
}
