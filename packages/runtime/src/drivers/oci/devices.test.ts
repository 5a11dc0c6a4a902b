import { expect, test } from 'vitest'
import { deviceNode, machineDevices } from './devices.ts'

test('a device is made with the numbers of the machine’s', () => {
  expect(deviceNode({ source: '/dev/zero', target: '/dev/mine', permissions: '' })).toMatchObject(
    // macOS has it under other numbers.
    {
      path: '/dev/mine',
      type: 'c',
      permissions: 'rwm',
      ...(process.platform === 'linux' ? { major: 1, minor: 5 } : {}),
    },
  )
})

test.each([
  ['/dev/not-there', 'no such file or directory'],
  [import.meta.filename, 'not a device node'],
])('%s is none', (source, reason) => {
  expect(() => deviceNode({ source, target: '/dev/x', permissions: 'r' })).toThrow(
    `error gathering device information while adding custom device "${source}": ${reason}`,
  )
})

test('all devices of the machine, but not its terminals', () => {
  const paths = machineDevices().map(({ path }) => path)
  expect(paths).toContain('/dev/null')
  expect(paths.filter((path) => /^\/dev\/(pts|shm|fd|console)/.test(path))).toEqual([])
})
