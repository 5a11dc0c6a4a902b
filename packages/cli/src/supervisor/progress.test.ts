import { writeFileSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { someConfig, temporaryState } from '../testing/temporary-state.ts'
import type { ComponentStatus } from './component.ts'
import { Progress } from './progress.ts'

function status(name: string, fields: Partial<ComponentStatus> = {}): ComponentStatus {
  return { name, pid: 1, ready: false, restarts: 0, stopped: false, silent: false, settled: false, ...fields }
}

function printing() {
  const state = temporaryState()
  const lines: string[] = []
  const spy = vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(text))
  onTestFinished(() => spy.mockRestore())
  const options = { config: someConfig, state, startedAt: performance.now(), env: 'eval "$(dinghy env)"' }
  return { state, lines, progress: new Progress({ ...options, isDetached: false }) }
}

test('says once what each component is when it becomes ready, and what happens to it', () => {
  const { state, lines, progress } = printing()
  writeFileSync(state.log('scheduler'), '{"level":60,"msg":"no port"}\n')
  progress.update([status('scheduler'), status('proxy-node-1'), status('node-agent-node-1')])
  progress.update([status('scheduler', { ready: true, settled: true }), status('proxy-node-1', { ready: true })])
  progress.update([status('scheduler', { ready: true, settled: true })])
  progress.update([status('scheduler', { silent: true, settled: true })])
  progress.update([status('scheduler', { pid: undefined, settled: true })])
  progress.update([status('scheduler', { ready: true, settled: true })])
  progress.update([status('proxy-node-1', { pid: undefined, stopped: true })])
  expect(lines.slice(1).map((line) => line.replace(/ +[\d.]+ s +/, ' | '))).toEqual([
    '  \u2714 scheduler | chooses a node for each pod',
    '  \u2714 proxy-node-1 | Services of this node',
    '  \u2718 scheduler | does not answer',
    `  \u2718 scheduler | died (no port); starting it again, see ${state.log('scheduler')}`,
    '  \u2714 scheduler | is ready again',
    '  \u25cc proxy-node-1 | stopped',
  ])
})

test('tells what to do next, within 80 columns', () => {
  const { lines, progress } = printing()
  progress.ready()
  const text = lines.at(-1) ?? ''
  expect(text).toContain('2 nodes Ready')
  expect(text).toContain('eval "$(dinghy env)"')
  expect(text).toContain('Ctrl-C stops the cluster')
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
})

test('names what is missing once it has taken long, and nothing that stops is news', () => {
  const { lines, progress } = printing()
  progress.update([status('scheduler'), status('proxy-node-1', { ready: true })])
  expect(progress.missing()).toBeUndefined()
  const later = performance.now() + 10_000
  const spy = vi.spyOn(performance, 'now').mockReturnValue(later)
  onTestFinished(() => spy.mockRestore())
  expect(progress.missing()).toBe('  waiting for scheduler')
  progress.update([status('scheduler', { ready: true })])
  spy.mockReturnValue(later + 10_000)
  expect(progress.missing()).toBeUndefined()
  progress.stopping()
  progress.update([status('scheduler', { pid: undefined })])
  progress.stopped()
  expect(lines.at(-1)).toContain('everything is kept in')
  expect(lines.join()).not.toContain('died')
})
