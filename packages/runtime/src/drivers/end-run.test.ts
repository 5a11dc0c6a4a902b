import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@dinghy/shared/api/clock'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { endRun } from './end-run.ts'
import { readStat } from './process-table.ts'
import { scriptPath, readShimPid } from './shim.ts'

let runDir: string
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'run-'))
  execFileSync(
    'mkfifo',
    ['stdin', 'stdout', 'stderr', 'ack'].map((name) => join(runDir, name)),
  )
  writeFileSync(join(runDir, 'exit'), '    ')
})
afterEach(() => rmSync(runDir, { recursive: true }))

/** A real shim with `script` as its program, which writes its children's pids to `pids`. */
async function shimOf(script: string): Promise<number[]> {
  const shim = spawn('/bin/sh', [scriptPath('shim.sh'), runDir, 'null', 'sh', '-c', script], {
    detached: true,
    stdio: 'ignore',
  })
  await once(shim, 'spawn')
  await vi.waitFor(() => expect(readFileSync(join(runDir, 'pids'), 'utf8')).toMatch(/\n$/), 10_000)
  const pids = readFileSync(join(runDir, 'pids'), 'utf8').trim().split(/\s+/).map(Number)
  return [readShimPid(runDir) ?? 0, ...pids]
}

function isRunning(pid: number): boolean {
  return !['Z', undefined].includes(readStat(pid)?.state)
}

test.runIf(process.platform === 'linux')('everything of a run is ended, and nothing of another', async () => {
  const other = spawn('sleep', ['1000'], { stdio: 'ignore' })
  const pids = await shimOf(`sleep 1000 & echo $$ $! >"${runDir}/pids"; wait`)
  expect(pids.map(isRunning)).toEqual([true, true, true])
  await endRun(systemClock, runDir)
  expect(pids.map(isRunning)).toEqual([false, false, false])
  expect(isRunning(other.pid ?? 0)).toBe(true)
  other.kill()
})

test.runIf(process.platform === 'linux')(
  'also when its shim has been killed, and what goes on ignores signals',
  async () => {
    const [shim = 0, ...pids] = await shimOf(`trap '' TERM HUP INT; sleep 1000 & echo $$ $! >"${runDir}/pids"; wait`)
    process.kill(shim, 'SIGKILL')
    await vi.waitFor(() => expect(isRunning(shim)).toBe(false), 10_000)
    expect(pids.map(isRunning)).toEqual([true, true])
    await endRun(systemClock, runDir)
    expect(pids.map(isRunning)).toEqual([false, false])
  },
)

test('a shim’s number alone is nobody’s end', async () => {
  const somebody = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true })
  writeFileSync(join(runDir, 'shim'), `${somebody.pid}\n`)
  await endRun(systemClock, runDir)
  expect(isRunning(somebody.pid ?? 0)).toBe(true)
  somebody.kill()
})
