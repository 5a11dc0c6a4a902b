/**
 * Processes that hang: stopped by SIGSTOP they are there, take connections and answer nothing. Every command still
 * ends.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, until } from './harness/cluster.ts'

describe('what hangs', () => {
  const cluster = new Cluster(1)
  beforeAll(() => cluster.up())
  afterAll(() => cluster.destroy())

  test('a component that hangs is not ready, and is started again', async () => {
    const hung = cluster.pid('scheduler')
    process.kill(hung, 'SIGSTOP')
    expect(cluster.status().ready).toBe(false)
    await until('another scheduler', () => cluster.status().ready && cluster.pid('scheduler') !== hung)
  })

  test('a node is switched off although the runtime hangs', async () => {
    const hung = cluster.pid('runtime')
    process.kill(hung, 'SIGSTOP')
    expect(cluster.dinghy('node', 'stop', 'node-1')).toMatchObject({ code: 0 })
    expect(cluster.pid('runtime')).not.toBe(hung)
    expect(cluster.dinghy('node', 'start', 'node-1').code).toBe(0)
    await until('everything ready', () => cluster.status().ready)
  })

  test('down ends although the runtime hangs, and says what it had to kill', () => {
    process.kill(cluster.pid('runtime'), 'SIGSTOP')
    expect(cluster.dinghy('down')).toMatchObject({ code: 0, stderr: expect.stringContaining('killed: runtime') })
    cluster.up()
  })

  test('a supervisor that hangs is told from one that is not there, and down ends it', () => {
    const components = cluster.status().components.map(({ pid }) => pid)
    const supervisor = Number(readFileSync(join(cluster.stateDir, 'supervisor.pid'), 'utf8'))
    process.kill(supervisor, 'SIGSTOP')
    expect(cluster.dinghy('status')).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer') })
    const down = cluster.dinghy('down')
    expect(down).toMatchObject({ code: 0, stderr: expect.stringContaining(`killed it (process ${supervisor})`) })
    expect([supervisor, ...components].filter(isAlive)).toEqual([])
    expect(cluster.dinghy('status').stderr).toContain('no cluster is running')
  })
})

/** A dead process that nobody has asked about yet is still listed, as a zombie. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z')
}
