import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { temporaryState } from '../testing/temporary-state.ts'
import { startProcess } from './process.ts'

const spec = { name: 'scheduler', kind: 'scheduler', fixed: [] }

test('a process writes into its log, and no run file of an earlier one is left', async () => {
  const state = temporaryState()
  const paths = { log: state.log('scheduler'), runFile: state.runFile('scheduler') }
  writeFileSync(paths.log, 'before\n')
  writeFileSync(paths.runFile, '{}')
  const { exited, pid } = startProcess({ ...spec, args: ['-e', 'console.log("out"); console.error("err")'] }, paths)
  expect(pid).toBeGreaterThan(1)
  expect(existsSync(paths.runFile)).toBe(false)
  await exited
  expect(readFileSync(paths.log, 'utf8').split('\n').toSorted()).toEqual(['', 'before', 'err', 'out'])
})

test.each([
  ['runtime', false],
  ['api-server', false],
  ['proxy', true],
])('that a %s knows no public authorities is %s', async (kind, isSpared) => {
  const state = temporaryState()
  const paths = { log: state.log(kind), runFile: state.runFile(kind) }
  const told = 'console.log(process.execArgv.includes("--use-openssl-ca"), process.env.SSL_CERT_FILE === "/dev/null")'
  await startProcess({ name: kind, kind, fixed: [], args: ['-e', told] }, paths).exited
  expect(readFileSync(paths.log, 'utf8')).toBe(`${isSpared} ${isSpared}\n`)
})

test('it is started by its launcher, holds a pipe from us, and can be killed', async () => {
  const state = temporaryState()
  const paths = { log: state.log('scheduler'), runFile: state.runFile('scheduler') }
  const launcher = ['/bin/sh', '-c', 'echo launched; exec "$@"', 'sh']
  const waits = startProcess({ ...spec, launcher, args: ['-e', 'process.stdin.resume()'] }, paths)
  await expect.poll(() => readFileSync(paths.log, 'utf8')).toBe('launched\n')
  waits.kill('SIGKILL')
  expect(await waits.exited).toEqual([null, 'SIGKILL'])
})
