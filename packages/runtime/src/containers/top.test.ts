import { expect, test } from 'vitest'
import { filterTable, processTable } from './top.ts'

const ps = `  PID USER     COMMAND
    1 root     /sbin/init splash
   42 node     node server.js --port 80
   43 node     [defunct]
`

test('rows are found by their PID, the last column keeps its blanks', () => {
  expect(filterTable(ps, new Set([42]))).toEqual({
    Titles: ['PID', 'USER', 'COMMAND'],
    Processes: [['42', 'node', 'node server.js --port 80']],
  })
  expect(() => filterTable('USER\nroot\n', new Set([1]))).toThrow("Couldn't find PID field in ps output")
})

test('the default table needs no ps', async () => {
  const row = {
    pid: 42,
    ppid: 1,
    uid: 0,
    startedAt: new Date(2025, 0, 1, 13, 5),
    cpuSeconds: 61,
    terminal: '?',
    command: 'sh -c x',
  }
  const never = () => Promise.reject(new Error('not needed'))
  expect(await processTable([row], '', never)).toEqual({
    Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
    Processes: [['root', '42', '1', '0', '13:05', '?', '00:01:01', 'sh -c x']],
  })
  await expect(processTable([row], '-o pid=', never)).rejects.toThrow('not allowed')
})
