import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryState } from '../testing/temporary-state.ts'
import { killStrays } from './strays.ts'

async function started(...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', ...args])
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'spawn')
  return child
}

function startTime(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

test('kills the shell of a container, and spares who only has its number', async () => {
  const { runtimeRoot } = temporaryState()
  expect(await killStrays(runtimeRoot)).toBe(0)
  const [one, two] = ['one', 'two'].map((id) => join(runtimeRoot, 'containers', id, 'run'))
  for (const run of [one ?? '', two ?? '']) mkdirSync(run, { recursive: true })
  const shim = await started(join(one ?? '', ''))
  const innocent = await started()
  const exited = once(shim, 'exit')
  writeFileSync(join(one ?? '', 'shim'), `${shim.pid}\n`)
  writeFileSync(join(two ?? '', 'shim'), `${innocent.pid}\n`)
  expect(await killStrays(runtimeRoot)).toBe(1)
  expect(await exited).toEqual([null, 'SIGKILL'])
  expect(innocent.exitCode).toBeNull()
  expect(await killStrays(runtimeRoot)).toBe(0)
})

test.runIf(process.platform === 'linux')(
  'kills the first process of a container, known by its start time',
  async () => {
    const { runtimeRoot } = temporaryState()
    const run = join(runtimeRoot, 'containers', 'one', 'run')
    mkdirSync(run, { recursive: true })
    const program = await started()
    writeFileSync(join(run, 'pid'), `${program.pid} 1\n`)
    expect(await killStrays(runtimeRoot)).toBe(0)
    const exited = once(program, 'exit')
    writeFileSync(join(run, 'pid'), `${program.pid} ${startTime(program.pid ?? 0)}\n`)
    expect(await killStrays(runtimeRoot)).toBe(1)
    expect(await exited).toEqual([null, 'SIGKILL'])
  },
)
