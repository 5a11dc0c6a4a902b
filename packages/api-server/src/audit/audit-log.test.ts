import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import { openAuditLog } from './audit-log.ts'

const clock = new FakeClock('2026-01-01T00:00:00Z')
const log = createLogger({ name: 'test', clock, write: () => undefined })
let directory: string
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'audit-'))))
afterEach(() => rmSync(directory, { recursive: true }))

function linesOf(name: string): unknown[] {
  const lines = readFileSync(join(directory, name), 'utf8').split('\n').filter(Boolean)
  return lines.map((line): unknown => JSON.parse(line))
}

test('events are lines of a file that is for nobody else, also after it was opened again', async () => {
  const options = { path: join(directory, 'deep', 'audit.log'), maxBytes: 1000, maxBackups: 0 }
  for (const number of [1, 2]) {
    const audit = openAuditLog(options, { clock, log })
    audit.write({ number })
    await audit.close()
  }
  expect(linesOf('deep/audit.log')).toEqual([{ number: 1 }, { number: 2 }])
  expect(statSync(options.path).mode & 0o777).toBe(0o600)
})

test('a file that has become large is cut, and only so many pieces are kept', async () => {
  const path = join(directory, 'audit.log')
  const audit = openAuditLog({ path, maxBytes: 30, maxBackups: 2 }, { clock, log })
  for (let number = 0; number < 9; number++) {
    audit.write({ number })
    await clock.advance(1000)
  }
  await audit.close()
  expect(readdirSync(directory).sort()).toEqual([
    'audit-2026-01-01T00-00-06.000.log',
    'audit-2026-01-01T00-00-08.000.log',
    'audit.log',
  ])
  expect(linesOf('audit-2026-01-01T00-00-06.000.log')).toEqual([{ number: 4 }, { number: 5 }])
  expect(linesOf('audit.log')).toEqual([{ number: 8 }])
})
