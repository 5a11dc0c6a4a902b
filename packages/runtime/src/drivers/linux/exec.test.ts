import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { SpareShell } from '../spare-shell.ts'
import { startExec } from './exec.ts'

const shells = new SpareShell()
let runDir: string
beforeEach(() => (runDir = mkdtempSync(join(tmpdir(), 'exec-'))))
afterEach(() => {
  shells.close()
  rmSync(runDir, { recursive: true })
})

function start(script: string, options: Partial<Parameters<typeof startExec>[3]> = {}) {
  const running = { id: 'some', pid: process.pid, startTime: '', runDir }
  const whole = { stdin: false, tty: false, consoleSize: undefined, clock: new FakeClock(), ...options }
  return startExec(shells, running, ['sh', '-c', script], whole)
}

test('a command has its variables, both outputs, no input and an exit code, and leaves no file', async () => {
  const script = `cat; cat '${runDir}'/*; echo "$given1"; echo oh >&2; exit 4`
  const { stdin, stdout, stderr, exited } = start(script, { variables: { given1: "it's\ntwo" } })
  expect(stdin).toBeUndefined()
  const [out, error, code] = await Promise.all([text(stdout), stderr && text(stderr), exited])
  expect([out, error, code]).toEqual(["it's\ntwo\n", 'oh\n', 4])
  expect(readdirSync(runDir)).toEqual([])
})

test('its input is what is written, to the end', async () => {
  const { stdin, stdout } = start('cat')
  const { stdin: input, stdout: output } = start('cat', { stdin: true })
  input?.end('typed')
  expect([stdin, await text(stdout), await text(output)]).toEqual([undefined, '', 'typed'])
})

test('what it says to its process group it does not say to us', async () => {
  const { stdout } = start('ps -o pgid= -p $$')
  const ours = execFileSync('ps', ['-o', 'pgid=', '-p', String(process.pid)], { encoding: 'utf8' })
  expect(Number(await text(stdout))).not.toBe(Number(ours))
})
