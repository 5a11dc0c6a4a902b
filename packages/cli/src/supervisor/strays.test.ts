import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { killStrays, straysIn } from './strays.ts'

test('finds the processes of a runtime’s containers by their command lines', () => {
  const processes = [
    '  12 /bin/sh shim.sh /s/runtime/containers/abc/run null true',
    ' 345 /usr/bin/node main.js --root=/s/runtime',
    '   6 /bin/sh shim.sh /other/runtime/containers/abc/run null true',
    '',
  ].join('\n')
  expect(straysIn(processes, '/s/runtime')).toEqual([12])
})

test('kills them', async () => {
  const root = `/no/such/${process.pid}`
  expect(await killStrays(root)).toBe(0)
  const stray = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', `${root}/containers/abc`])
  const exited = once(stray, 'exit')
  await once(stray, 'spawn')
  expect(await killStrays(root)).toBe(1)
  expect(await exited).toEqual([null, 'SIGKILL'])
})
