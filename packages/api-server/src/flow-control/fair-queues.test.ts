import { describe, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { FairQueues, type Guest } from './fair-queues.ts'
import { dealHand } from './shuffle-shard.ts'

const settings = { queues: 16, handSize: 4, queueLengthLimit: 5 }

function queuesWith(seats: number, more: Partial<typeof settings> = {}) {
  const clock = new FakeClock()
  const queues = new FairQueues({ ...settings, ...more }, clock, () => seats)
  const started: string[] = []
  const arrive = (flow: string, width = 1): Guest => {
    const guest = queues.arrive(flow, width)
    if (guest === 'rejected') throw new Error(`${flow} was turned away`)
    if (guest.state === 'executing') started.push(flow)
    else guest.start = () => started.push(flow)
    return guest
  }
  return { clock, queues, started, arrive }
}

test('who finds a seat runs; the next one waits until it is free', () => {
  const { queues, started, arrive } = queuesWith(1)
  const first = arrive('a')
  const second = arrive('b')
  expect([first.state, second.state, queues.waiting]).toEqual(['executing', 'waiting', 1])
  queues.leave(first)
  queues.leave(first)
  expect([second.state, queues.seatsInUse, queues.waiting]).toEqual(['executing', 1, 0])
  expect(started).toEqual(['a', 'b'])
})

test('without queues, who finds no seat is turned away', () => {
  const { queues, arrive } = queuesWith(2, { queues: 0 })
  arrive('a')
  const second = arrive('a')
  expect(queues.arrive('b', 1)).toBe('rejected')
  queues.leave(second)
  arrive('b')
})

test('a flood fills its own hand of queues, and is turned away from there on', () => {
  const { queues, arrive } = queuesWith(1)
  arrive('flood')
  let admitted = 0
  while (queues.arrive('flood', 1) !== 'rejected') admitted++
  expect(admitted).toBe(settings.handSize * settings.queueLengthLimit)
  expect(queues.arrive('polite', 1)).not.toBe('rejected')
})

test('a flood does not starve the others: each gets its turn as if it were alone with the flood', async () => {
  const { clock, queues, started, arrive } = queuesWith(1, { queues: 64, handSize: 6, queueLengthLimit: 50 })
  let running = arrive('flood')
  const waiting = Array.from({ length: 100 }, () => arrive('flood'))
  const polite = arrive('polite')
  for (let served = 0; polite.state === 'waiting' && served < 100; served++) {
    await clock.advance(100)
    const next = [...waiting, polite].find((guest) => guest.state === 'waiting')
    queues.leave(running)
    running = [...waiting, polite].find((guest) => guest.state === 'executing') ?? running
    if (!next) break
  }
  expect(polite.state).toBe('executing')
  // First come, first served would have been the hundred and second place.
  expect(started.indexOf('polite')).toBeLessThan(10)
})

test('seats go to who has had least of them, not to who asks most often', async () => {
  const { clock, queues, started, arrive } = queuesWith(2, { queues: 64 })
  const running = [arrive('slow'), arrive('slow')]
  for (let i = 0; i < 6; i++) arrive('slow')
  for (let i = 0; i < 3; i++) arrive('quick')
  started.splice(0)
  await clock.advance(10_000)
  for (const guest of running) queues.leave(guest)
  expect(started).toContain('quick')
})

describe('wide requests', () => {
  test('take as many seats as they have', () => {
    const { queues, arrive } = queuesWith(4)
    const wide = arrive('a', 3)
    expect(arrive('b', 2).state).toBe('waiting')
    queues.leave(wide)
    expect(queues.seatsInUse).toBe(2)
  })

  test('wider than all seats, run alone', () => {
    const { arrive } = queuesWith(2)
    expect(arrive('a', 10).state).toBe('executing')
    expect(arrive('b').state).toBe('waiting')
  })
})

test('who leaves the queue is not called', () => {
  const { queues, started, arrive } = queuesWith(1)
  const running = arrive('a')
  const impatient = arrive('b')
  arrive('c')
  queues.leave(impatient)
  queues.leave(running)
  expect(started).toEqual(['a', 'c'])
})

test('more seats let more in', () => {
  let seats = 1
  const queues = new FairQueues(settings, new FakeClock(), () => seats)
  queues.arrive('a', 1)
  queues.arrive('b', 1)
  seats = 2
  queues.configure({ ...settings, queues: 32 })
  expect([queues.executing, queues.waiting, queues.queues.length]).toEqual([2, 0, 32])
})

test('a hand is the same for the same flow, has no queue twice, and hardly ever another flow’s', () => {
  const hands = Array.from({ length: 500 }, (_, i) => dealHand(`flow ${i}`, 128, 6))
  expect(dealHand('flow 7', 128, 6)).toEqual(hands[7])
  for (const hand of hands) {
    expect(new Set(hand).size).toBe(6)
    for (const card of hand) expect(card >= 0 && card < 128).toBe(true)
  }
  expect(new Set(hands.map((hand) => hand.toSorted((a, b) => a - b).join())).size).toBe(500)
  expect(dealHand('x', 3, 6)).toHaveLength(3)
})
