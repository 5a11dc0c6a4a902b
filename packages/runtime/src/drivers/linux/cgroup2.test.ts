/**
 * Against this machine's kernel, which alone knows its rules: root, and a version 2 tree with any controller, are
 * needed.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { usePlace } from './cgroup2.ts'

const { mountPoint, controller } = whatThereIs()
const canTry = process.getuid?.() === 0 && controller !== undefined

/** A controller that the root of the version 2 tree hands down. */
function whatThereIs(): { mountPoint: string; controller: string | undefined } {
  const mounts = existsSync('/proc/self/mounts') ? readFileSync('/proc/self/mounts', 'utf8').split('\n') : []
  const mountPoint = mounts.map((line) => line.split(' ')).find(([, , type]) => type === 'cgroup2')?.[1] ?? ''
  const file = join(mountPoint, 'cgroup.subtree_control')
  const [controller] = existsSync(file) ? readFileSync(file, 'utf8').split(/\s+/).filter(Boolean) : []
  return { mountPoint, controller }
}

describe.runIf(canTry)(`a cgroup of version 2${canTry ? '' : ' (needs root and a version 2 controller)'}`, () => {
  const place = join(mountPoint, `dinghy-test-${process.pid}`)
  const children: ChildProcess[] = []
  const read = (...path: string[]) => readFileSync(join(place, ...path), 'utf8').trim()

  beforeEach(() => {
    mkdirSync(place)
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    for (const entry of readdirSync(place, { withFileTypes: true })) {
      if (entry.isDirectory()) rmdirSync(join(place, entry.name))
    }
    rmdirSync(place)
  })

  async function startIn(program: string, ...args: string[]): Promise<number> {
    const child = spawn(program, args, { stdio: 'ignore' })
    children.push(child)
    await once(child, 'spawn')
    writeFileSync(join(place, 'cgroup.procs'), String(child.pid))
    return child.pid ?? 0
  }

  const wanted = [controller ?? '', 'nonsense']

  test('hands down what it is offered', () => {
    expect(usePlace(place, 'containers', wanted)).toEqual({
      parent: join(place, 'containers'),
      controllers: [controller],
    })
    expect(read('containers', 'cgroup.subtree_control')).toBe(controller)
  })

  test('that our own processes live in is cleared of them', async () => {
    const self = await startIn(process.execPath, '-e', 'setInterval(() => undefined, 1000)')
    expect(usePlace(place, 'containers', wanted, self)?.controllers).toEqual([controller])
    expect(readFileSync(`/proc/${self}/cgroup`, 'utf8')).toContain('/dinghy-itself\n')
    expect(read('cgroup.procs')).toBe('')
    // And again, as a runtime that is started anew does.
    expect(usePlace(place, 'containers', wanted, self)?.controllers).toEqual([controller])
  })

  test('that others live in, too, is left as it is, and can do without controllers', async () => {
    const self = await startIn(process.execPath, '-e', 'setInterval(() => undefined, 1000)')
    const other = await startIn('sleep', '1000')
    expect(usePlace(place, 'containers', wanted, self)).toEqual({ parent: join(place, 'containers'), controllers: [] })
    expect(new Set(read('cgroup.procs').split('\n').map(Number))).toEqual(new Set([self, other]))
  })
})
