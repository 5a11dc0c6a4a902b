import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newEngine } from '../testing/engine.ts'

let house: Awaited<ReturnType<typeof newEngine>>
beforeEach(async () => {
  house = await newEngine()
})
afterEach(() => house.close())

test('logs --details shows what the log options ask for', async () => {
  const LogConfig = { Type: 'json-file', Config: { labels: 'app', tag: '{{.Name}}' } }
  const Labels = { app: 'web' }
  const container = await house.create(
    ['exit', '0', 'one\ntwo\n'],
    { Tty: true, Labels, HostConfig: { LogConfig } },
    'box',
  )
  await house.lifecycle.start(container)
  await container.ended
  const logs = (query: string) => house.engine.text('GET', `/containers/box/logs?stdout=1${query}`)
  expect(await logs('')).toBe('one\ntwo\n')
  expect(await logs('&details=1')).toBe('app=web,tag=box one\napp=web,tag=box two\n')
  expect(await logs('&details=1&timestamps=1&tail=1')).toMatch(/^\S+Z app=web,tag=box two\n$/)
})

test('what attach replays comes some moments after its headers', async () => {
  const container = await house.create(['exit', '0', 'quick\n'], { Tty: true }, 'box')
  await house.lifecycle.start(container)
  await container.ended
  const waiting = house.clock.pending
  const { socket } = await house.engine.hijack('/containers/box/attach?logs=1&stream=1&stdout=1')
  let output = ''
  socket.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise((resolve) => socket.once('end', resolve))
  await vi.waitFor(() => expect(house.clock.pending).toBe(waiting + 1))
  expect(output).toBe('')
  await house.clock.advance(20)
  await ended
  expect(output).toBe('quick\n')
})
