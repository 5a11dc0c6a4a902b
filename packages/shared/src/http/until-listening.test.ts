import { setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Clock, systemClock } from '../api/clock.ts'
import { untilListening } from './until-listening.ts'

const never = new AbortController().signal

function counting(): Clock & { pauses: number[] } {
  const pauses: number[] = []
  const sleep: Clock['sleep'] = (ms, signal) => {
    pauses.push(ms)
    return systemClock.sleep(1, signal)
  }
  return { ...systemClock, pauses, sleep }
}

function serve(path: string): Server {
  const server = createServer((socket) => socket.destroy()).listen(path)
  onTestFinished(() => void server.close())
  return server
}

function temporaryPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dinghy-listening-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'socket')
}

test('waits for a server with growing pauses, and all who wait share them', async () => {
  const [path, clock] = [temporaryPath(), counting()]
  const waits = [1, 2, 3].map(() => untilListening({ path }, clock, never))
  await expect.poll(() => clock.pauses.length).toBeGreaterThan(3)
  expect(clock.pauses[1]).toBeGreaterThan(clock.pauses[0] ?? 0)
  const alone = [15, 16.5, 18.15].map((ms) => expect.closeTo(ms) as number)
  expect(clock.pauses.slice(0, 3)).toEqual(alone)
  serve(path)
  await Promise.all(waits)
})

test('many may wait: that is no leak', async () => {
  const warning = vi.spyOn(process, 'emitWarning')
  onTestFinished(() => warning.mockRestore())
  const [path, stop] = [temporaryPath(), new AbortController()]
  setMaxListeners(0, stop.signal)
  const waits = Array.from({ length: 20 }, () => untilListening({ path }, counting(), stop.signal))
  serve(path)
  await Promise.all(waits)
  expect(warning).not.toHaveBeenCalled()
})

test('a server that is there is not waited for, and one that goes is waited for again', async () => {
  const clock = counting()
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  await untilListening(address, clock, never)
  expect(clock.pauses).toEqual([])
  await new Promise((resolve) => server.close(resolve))
  const again = untilListening(address, clock, never)
  await expect.poll(() => clock.pauses.length).toBeGreaterThan(0)
  const next = createServer((socket) => socket.destroy()).listen(address.port, address.host)
  onTestFinished(() => void next.close())
  await again
})

test('one who gives up leaves the others waiting; when all have, nobody looks any more', async () => {
  const [path, clock, stop] = [temporaryPath(), counting(), new AbortController()]
  const [first, second] = [new AbortController(), stop].map(({ signal }) => untilListening({ path }, clock, signal))
  await expect.poll(() => clock.pauses.length).toBeGreaterThan(0)
  stop.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  await expect(untilListening({ path }, clock, stop.signal)).rejects.toThrow('enough')
  serve(path)
  await first
})
