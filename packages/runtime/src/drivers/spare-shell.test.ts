import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hasEnded, SpareShell } from './spare-shell.ts'

let directory: string
const shells = new SpareShell()
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'spare-shell-'))))
afterEach(() => {
  shells.close()
  rmSync(directory, { recursive: true })
})

test('does what the file says, in a session of its own, with the rest of the pipe as its input', async () => {
  const file = join(directory, "it's a file")
  writeFileSync(file, `read -r line; echo "$line $(ps -o sid= -p $$) $(umask)" >'${join(directory, 'out')}'; exit 3\n`)
  shells.refill()
  const { process: shell, stdin } = shells.take()
  stdin.end(`${file}\nhello\n`)
  expect(await once(shell, 'exit')).toEqual([3, null])
  const [word, session, mask] = readFileSync(join(directory, 'out'), 'utf8').trim().split(/ +/)
  expect([word, Number(session), mask]).toEqual(['hello', shell.pid, '0022'])
})

test('a spare one is taken once, and ends when it is not needed', async () => {
  shells.refill()
  const first = shells.take()
  const second = shells.take()
  expect(second.process.pid).not.toBe(first.process.pid)
  for (const { process: shell, stdin } of [first, second]) {
    stdin.destroy()
    await once(shell, 'exit')
  }
  expect(hasEnded(first)).toBe(true)
  expect(existsSync(`/proc/${first.process.pid}`)).toBe(false)
})

test('one that was killed meanwhile is not handed out', async () => {
  shells.refill()
  const taken = shells.take()
  taken.stdin.destroy()
  await once(taken.process, 'exit')
  shells.refill()
  const spare = shells.take()
  expect(hasEnded(spare)).toBe(false)
  spare.stdin.destroy()
  await once(spare.process, 'exit')
})
