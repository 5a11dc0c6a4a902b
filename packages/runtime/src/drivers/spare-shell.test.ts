import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hasEnded, SpareShell } from './spare-shell.ts'

let directory: string
const shells = new SpareShell()
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'spare-shell-'))))
afterEach(() => {
  shells.close()
  rmSync(directory, { recursive: true })
})

function script(): string {
  return join(directory, "it's a file")
}

test('does what the script says, in a session of its own, with the rest of the pipe as its input', async () => {
  const lines = ['read -r line', 'echo "$line $(ps -o sid= -p $$) $(umask)"', 'echo oh >&2', 'exit 3\n']
  shells.refill()
  const { process: shell, stdin, stdout, stderr } = shells.run(script(), lines.join('\n'))
  stdin.end('hello\n')
  const [out, error, end] = await Promise.all([text(stdout), text(stderr), once(shell, 'exit')])
  const [word, session, mask] = out.trim().split(/ +/)
  expect([word, Number(session), mask, error, end]).toEqual(['hello', shell.pid, '0022', 'oh\n', [3, null]])
})

test('nobody else can read a script', () => {
  shells.run(script(), 'exit\n')
  expect(statSync(script()).mode & 0o777).toBe(0o600)
})

test('a spare one is taken once, and ends when it is not needed', async () => {
  shells.refill()
  const first = shells.run(script(), 'read -r line\n')
  const second = shells.run(script(), 'read -r line\n')
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
  const taken = shells.run(script(), 'exit\n')
  await once(taken.process, 'exit')
  shells.refill()
  const spare = shells.run(script(), 'read -r line\n')
  expect(hasEnded(spare)).toBe(false)
  spare.stdin.destroy()
  await once(spare.process, 'exit')
})
