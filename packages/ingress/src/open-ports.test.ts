import { afterEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import type { OpenPort } from './forward/server.ts'
import { OpenPorts } from './open-ports.ts'

const clock = new FakeClock()
let ports: OpenPorts
let changes = 0
const lines: string[] = []

afterEach(() => ports.close())

/** A server that can have all addresses but those that are taken. */
function withTaken(taken: Set<string>): Set<string> {
  const open = new Set<string>()
  lines.length = 0
  ports = new OpenPorts({
    server: {
      open: async ({ host, port }): Promise<OpenPort> => {
        const url = `${host}:${port}`
        if (taken.has(url)) throw Object.assign(new Error(`listen EADDRINUSE ${url}`), { code: 'EADDRINUSE' })
        open.add(url)
        return { url, close: () => void open.delete(url) }
      },
    },
    clock,
    log: createLogger({ name: 'x', clock, write: (line) => void lines.push(line) }),
    addressesOf: (port) =>
      port === 80
        ? [
            { host: 'a', port: 80 },
            { host: 'b', port: 8080 },
          ]
        : [{ host: 'a', port }],
    onChange: () => (changes += 1),
  })
  return open
}

test('opens what is wanted and closes what is not any more', async () => {
  const open = withTaken(new Set())
  await ports.apply(
    new Map([
      [80, 'http'],
      [81, 'http'],
    ]),
  )
  expect([...open]).toEqual(['a:80', 'b:8080', 'a:81'])
  await ports.apply(new Map([[81, 'http']]))
  expect([...open]).toEqual(['a:81'])
})

test('an address that is taken is said once, tried again, and is a problem if the port has no other', async () => {
  const taken = new Set(['a:80', 'a:81'])
  const open = withTaken(taken)
  await ports.apply(
    new Map([
      [80, 'http'],
      [81, 'http'],
    ]),
  )
  expect([...open]).toEqual(['b:8080'])
  expect(ports.problem(80)).toBeUndefined()
  expect(ports.problem(81)).toBe('a:81 cannot be listened on (EADDRINUSE)')
  await clock.advance(10_000)
  await ports.apply(
    new Map([
      [80, 'http'],
      [81, 'http'],
    ]),
  )
  expect(lines.filter((line) => line.includes('cannot be had'))).toHaveLength(2)
  taken.clear()
  const before = changes
  await clock.advance(10_000)
  await expect.poll(() => open.size).toBe(3)
  expect(ports.problem(81)).toBeUndefined()
  expect(changes).toBe(before + 1)
})

test('an error that is about something else is thrown', async () => {
  withTaken(new Set())
  const broken = new OpenPorts({
    server: { open: () => Promise.reject(new TypeError('broken')) },
    clock,
    log: createLogger({ name: 'x', clock, write: () => undefined }),
    addressesOf: () => [{ host: 'a', port: 1 }],
    onChange: () => undefined,
  })
  await expect(broken.apply(new Map([[1, 'http']]))).rejects.toThrow('broken')
})
