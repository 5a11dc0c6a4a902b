import { expect, test } from 'vitest'
import { systemMounts, type NestedMounts } from './system-mounts.ts'

const alone: NestedMounts = {
  shares: { pid: false, ipc: false, network: false },
  hasTtyGroup: false,
  kept: () => ',nosuid',
}
function byTarget(nested?: NestedMounts, privileged = false) {
  return new Map(
    systemMounts({ privileged, shmSizeBytes: 1, nested }).map(([source, target, ...how]) => [target, [source, ...how]]),
  )
}

test('root mounts file systems of the container’s own', () => {
  const mounts = byTarget()
  expect([...mounts.keys()]).toEqual(['/proc', '/dev/pts', '/dev/shm', '/sys', '/dev/mqueue'])
  expect(mounts.get('/sys')).toEqual(['sysfs', 'sysfs', 'nosuid,nodev,noexec,ro'])
  expect(mounts.get('/dev/pts')?.[2]).toContain(',gid=5')
})

test('in a user namespace devices are the machine’s, one by one', () => {
  const mounts = byTarget(alone)
  expect(mounts.get('/dev/null')).toEqual(['/dev/null', 'none', 'bind'])
  expect(mounts.get('/proc')).toEqual(['proc', 'proc', 'nosuid,nodev,noexec'])
  expect(mounts.get('/sys')?.[0]).toBe('sysfs')
  expect(mounts.get('/dev/pts')?.[2]).not.toContain('gid=')
  expect(byTarget({ ...alone, hasTtyGroup: true }).get('/dev/pts')?.[2]).toContain(',gid=5')
})

test('what shows a namespace of the machine’s is the machine’s', () => {
  const shared = { ...alone, shares: { pid: true, ipc: true, network: true } }
  const mounts = byTarget(shared)
  expect(mounts.get('/proc')).toEqual(['/proc', 'none', 'rbind'])
  expect(mounts.get('/sys')).toEqual(['/sys', 'none', 'rbind,ro,nosuid'])
  expect(mounts.get('/sys/fs/cgroup')).toEqual(['tmpfs', 'tmpfs', 'ro,size=0'])
  expect(mounts.has('/dev/mqueue')).toBe(false)
  expect(byTarget(shared, true).get('/sys')).toEqual(['/sys', 'none', 'rbind'])
})
