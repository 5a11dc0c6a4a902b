/**
 * What both suites measure with: a stopwatch, percentiles, waiting for a condition, running a command.
 */

import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

export const run = promisify(execFile)

export function isInstalled(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/** Milliseconds that `work` took. */
export async function time(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export async function times(count, work) {
  const taken = []
  for (let i = 0; i < count; i++) taken.push(await time(() => work(i)))
  return taken
}

/** Polls every few milliseconds; throws after `patienceMs`. */
export async function until(condition, what, patienceMs = 60_000) {
  const giveUpAt = performance.now() + patienceMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > giveUpAt) throw new Error(`gave up waiting for ${what}`)
    await sleep(5)
  }
}

/** Processor time of a process since it started, its kernel's share included. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
