import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { holdMountNamespace } from './members.ts'

const mayUnshare = spawnSync('unshare', ['--mount', 'true']).status === 0

/** A process in a mount namespace of its own. */
async function start() {
  const child = spawn('unshare', ['--mount', 'sh', '-c', 'echo up; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const pid = child.pid ?? 0
  return { child, pid, name: readlinkSync(`/proc/${pid}/ns/mnt`) }
}

test.skipIf(!mayUnshare)('while a namespace is held no other one gets its number', async () => {
  const first = await start()
  const held = holdMountNamespace(first.pid)
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  const second = await start()
  expect(second.name).not.toBe(first.name)
  held?.kill()
  expect(second.child.exitCode ?? second.child.signalCode).toBeNull()
  held?.close()
  // It is free now: whoever comes next may get it, as the kernel likes.
  const own = holdMountNamespace(second.pid)
  own?.kill()
  expect(await once(second.child, 'exit')).toEqual([null, 'SIGKILL'])
  own?.close()
})

test('there is nothing to hold of a process that is not there', () => {
  expect(holdMountNamespace(2 ** 22)).toBeUndefined()
})
